import { once } from "node:events";
import { Agent, createServer, request, type Server } from "node:http";
import { afterEach, expect, test, vi } from "vitest";
import { freePorts } from "../testkit/stack.ts";
import { throttle } from "./throttle.ts";

const agent = new Agent({ keepAlive: true });
const held: (() => void)[] = [];
let server: Server;
let connections = 0;

afterEach(() => {
  agent.destroy();
  server.close();
  held.length = 0;
  vi.useRealTimers();
});

/** A server that answers when it is told to. */
async function startThrottled(requestsAtOnceMax: number): Promise<number> {
  const port = Number((await freePorts("PORT")).PORT);
  server = createServer((_request, response) => held.push(() => response.end("done")));
  server.on("connection", (socket) => {
    connections++;
    socket.once("close", () => connections--);
  });
  throttle(port, requestsAtOnceMax);
  await once(server.listen({ port, host: "127.0.0.1" }), "listening");
  return port;
}

function get(
  port: number,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", agent, headers }, async (answer) => {
      let body = "";
      for await (const chunk of answer) body += chunk;
      resolve({ status: answer.statusCode, body });
    });
    sent.once("error", reject).end();
  });
}

async function untilHeld(count: number): Promise<void> {
  await expect.poll(() => held.length).toBe(count);
}

function answerAll(): void {
  for (const answer of held.splice(0)) answer();
}

test("what is beyond the bound is sent away at once, and what comes when there is room again is not", async () => {
  const port = await startThrottled(2);
  const first = [get(port), get(port)];
  await untilHeld(2);

  expect(await get(port)).toEqual({ status: 429, body: '{"message":"Too Many Requests"}' });

  answerAll();
  expect(await Promise.all(first)).toEqual([
    { status: 200, body: "done" },
    { status: 200, body: "done" },
  ]);
  const later = get(port);
  await untilHeld(1);
  answerAll();
  expect(await later).toEqual({ status: 200, body: "done" });
});

test("a burst within the bound is answered whole, a part of it at a time", async () => {
  const port = await startThrottled(600);
  const burst = Array.from({ length: 500 }, () => get(port));
  await untilHeld(64);

  // One that waits for its outcome needs no turn.
  const waiting = get(port, { prefer: "wait=20" });
  await untilHeld(65);

  let answered = 0;
  for (const answer of burst) answer.then(() => answered++);
  while (answered < burst.length) {
    answerAll();
    await new Promise(setImmediate);
  }
  expect((await Promise.all(burst)).every(({ status }) => status === 200)).toBe(true);
  expect((await waiting).status).toBe(200);
});

test("a line that stands for longer than a burst takes becomes shorter", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const port = await startThrottled(600);
  const burst = Array.from({ length: 400 }, () => get(port));
  await untilHeld(64);
  await expect.poll(() => connections).toBe(400);
  vi.advanceTimersByTime(3001);

  expect((await get(port)).status).toBe(429);

  while (held.length > 0) {
    answerAll();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect((await Promise.all(burst)).every(({ status }) => status === 200)).toBe(true);
  const later = get(port);
  await untilHeld(1);
  answerAll();
  expect((await later).status).toBe(200);
});

test("bodies that are still to come keep nobody else from an answer", async () => {
  const port = await startThrottled(600);
  const headers = { "content-length": "10" };
  const slow = Array.from({ length: 100 }, () =>
    request({ method: "POST", port, host: "127.0.0.1", headers }).on("error", () => {}),
  );
  for (const each of slow) each.write("{");
  await untilHeld(100);

  const others = Array.from({ length: 64 }, () => get(port));
  await untilHeld(164);
  for (const each of slow) each.destroy();
  answerAll();
  expect((await Promise.all(others)).every(({ status }) => status === 200)).toBe(true);
});

test("a client that goes away takes its place in the line with it", async () => {
  const port = await startThrottled(600);
  const first = Array.from({ length: 64 }, () => get(port));
  await untilHeld(64);
  const goers = Array.from({ length: 64 }, () => request({ port, host: "127.0.0.1" }).on("error", () => {}));
  for (const goer of goers) goer.end();
  await Promise.all(goers.map((goer) => once(goer, "finish")));
  for (const goer of goers) goer.destroy();
  await expect.poll(() => connections, { timeout: 5000 }).toBe(64);

  answerAll();
  await Promise.all(first);
  const later = Array.from({ length: 64 }, () => get(port));
  await untilHeld(64);
  answerAll();
  expect((await Promise.all(later)).every(({ status }) => status === 200)).toBe(true);
});
