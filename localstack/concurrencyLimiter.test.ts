import { once } from "node:events";
import { Agent, createServer, request, type Server } from "node:http";
import { afterEach, expect, test, vi } from "vitest";
import { freePorts } from "../testkit/ports.ts";
import { limitConcurrency } from "./concurrencyLimiter.ts";

const agent = new Agent({ keepAlive: true });
const pending: (() => void)[] = [];
let server: Server;
let connections = 0;

afterEach(() => {
  agent.destroy();
  server.close();
  pending.length = 0;
  vi.useRealTimers();
});

/** A server that responds when the test calls {@link respondToAll}. */
async function startLimited(requestsMax: number): Promise<number> {
  const port = Number((await freePorts("PORT")).PORT);
  server = createServer((_request, response) => pending.push(() => response.end("done")));
  server.on("connection", (socket) => {
    connections++;
    socket.once("close", () => connections--);
  });
  limitConcurrency(port, requestsMax);
  await once(server.listen({ port, host: "127.0.0.1" }), "listening");
  return port;
}

function get(
  port: number,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", agent, headers }, async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, body });
    });
    sent.once("error", reject).end();
  });
}

async function untilPending(count: number): Promise<void> {
  await expect.poll(() => pending.length).toBe(count);
}

function respondToAll(): void {
  for (const respond of pending.splice(0)) respond();
}

test("a request beyond the limit gets 429 at once, and succeeds once another request has ended", async () => {
  const port = await startLimited(2);
  const first = [get(port), get(port)];
  await untilPending(2);

  expect(await get(port)).toEqual({ status: 429, body: '{"message":"Too Many Requests"}' });

  respondToAll();
  expect(await Promise.all(first)).toEqual([
    { status: 200, body: "done" },
    { status: 200, body: "done" },
  ]);
  const later = get(port);
  await untilPending(1);
  respondToAll();
  expect(await later).toEqual({ status: 200, body: "done" });
});

test("every request of a burst within the limit succeeds, 64 at a time", async () => {
  const port = await startLimited(600);
  const burst = Array.from({ length: 500 }, () => get(port));
  await untilPending(64);

  // A request that waits for its outcome is not queued.
  const waiting = get(port, { prefer: "wait=20" });
  await untilPending(65);

  let done = 0;
  for (const response of burst) response.then(() => done++);
  while (done < burst.length) {
    respondToAll();
    await new Promise(setImmediate);
  }
  expect((await Promise.all(burst)).every(({ status }) => status === 200)).toBe(true);
  expect((await waiting).status).toBe(200);
});

test("when the queue has existed for longer than a burst, its limit is lower", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const port = await startLimited(600);
  const burst = Array.from({ length: 400 }, () => get(port));
  await untilPending(64);
  await expect.poll(() => connections).toBe(400);
  vi.advanceTimersByTime(3001);

  expect((await get(port)).status).toBe(429);

  while (pending.length > 0) {
    respondToAll();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect((await Promise.all(burst)).every(({ status }) => status === 200)).toBe(true);
  const later = get(port);
  await untilPending(1);
  respondToAll();
  expect((await later).status).toBe(200);
});

test("requests whose bodies have not arrived do not delay others", async () => {
  const port = await startLimited(600);
  const headers = { "content-length": "10" };
  const slow = Array.from({ length: 100 }, () =>
    request({ method: "POST", port, host: "127.0.0.1", headers }).on("error", () => {}),
  );
  for (const each of slow) each.write("{");
  await untilPending(100);

  const others = Array.from({ length: 64 }, () => get(port));
  await untilPending(164);
  for (const each of slow) each.destroy();
  respondToAll();
  expect((await Promise.all(others)).every(({ status }) => status === 200)).toBe(true);
});

test("when a client disconnects, its request leaves the queue", async () => {
  const port = await startLimited(600);
  const first = Array.from({ length: 64 }, () => get(port));
  await untilPending(64);
  const leaving = Array.from({ length: 64 }, () => request({ port, host: "127.0.0.1" }).on("error", () => {}));
  for (const client of leaving) client.end();
  await Promise.all(leaving.map((client) => once(client, "finish")));
  for (const client of leaving) client.destroy();
  await expect.poll(() => connections).toBe(64);

  respondToAll();
  await Promise.all(first);
  const later = Array.from({ length: 64 }, () => get(port));
  await untilPending(64);
  respondToAll();
  expect((await Promise.all(later)).every(({ status }) => status === 200)).toBe(true);
});
