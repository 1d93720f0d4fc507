import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { getEventListeners } from "node:events";
import { Socket } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { expect, it, onTestFinished } from "vitest";
import { fakeAwsForTest } from "../../testkit/fakeAws.ts";
import { dynamoForTest } from "../../testkit/transports.ts";

const get = () => new GetItemCommand({ TableName: "wallets", Key: { userId: { S: "alice" } } });

/** The sockets that are opened from now on, those of the transport and the server's none. */
function clientSockets(): Socket[] {
  const sockets: Socket[] = [];
  const record = (message: unknown) => {
    if (typeof message === "object" && message !== null && "socket" in message && message.socket instanceof Socket) {
      sockets.push(message.socket);
    }
  };
  subscribe("net.client.socket", record);
  onTestFinished(() => {
    unsubscribe("net.client.socket", record);
  });
  return sockets;
}

function listenersOf(socket: Socket): Record<string, number> {
  return Object.fromEntries(socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]));
}

/** Of this process, the test runner's own included. */
function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((type) => type === "Timeout").length;
}

/** Waits without a timer, for less than the five seconds after which the server closes an idle socket. */
async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 2000;
  while (!condition() && performance.now() < deadlineMs) await setImmediate();
}

it("Successive calls use one socket; one that the server closes as it is used again costs a retry", async () => {
  const { url: endpoint, requests } = await fakeAwsForTest({
    answer: (_, index) => (index === 2 ? (response) => response.socket?.destroy() : {}),
  });
  const { transport } = dynamoForTest("direct", { endpoint });
  for (let call = 0; call < 4; call++) await transport.send(get());
  expect(requests.map(({ connection }) => connection)).toEqual([0, 0, 0, 1, 1]);
});

it("A socket that the server closes while it is idle is not used again", async () => {
  const {
    url: endpoint,
    requests,
    connections,
  } = await fakeAwsForTest({
    answer: () => (response) => {
      response.end("{}", () => response.socket?.end());
    },
  });
  const sockets = clientSockets();
  const { transport } = dynamoForTest("direct", { endpoint });
  await transport.send(get());
  await until(() => connections.open === 0 && sockets.every(({ destroyed }) => destroyed));
  await transport.send(get());
  expect(requests.map(({ connection }) => connection)).toEqual([0, 1]);
});

it("200 calls at the same time use 50 sockets", async () => {
  const waiting: (() => void)[] = [];
  const {
    url: endpoint,
    requests,
    connections,
  } = await fakeAwsForTest({
    answer: async () => {
      // Each answer waits until 50 requests are there.
      await new Promise<void>((resolve) => {
        if (waiting.push(resolve) === 50) for (const answer of waiting.splice(0)) answer();
      });
      return {};
    },
  });
  const { transport } = dynamoForTest("direct", { endpoint });
  await Promise.all(Array.from({ length: 200 }, () => transport.send(get())));
  expect(requests).toHaveLength(200);
  expect(connections.max).toBe(50);
});

it("The wait for a free socket counts as part of the request", async () => {
  const { url: endpoint } = await fakeAwsForTest({ answer: () => () => {} });
  const { transport } = dynamoForTest("direct", { endpoint, maxAttempts: 1 }, { connectMs: 10_000, requestMs: 200 });
  const results = await Promise.allSettled(Array.from({ length: 51 }, () => transport.send(get())));
  for (const result of results) {
    expect(result).toMatchObject({ reason: { message: "The request did not complete within 200 ms" } });
  }
});

it("The limit of a connection does not end a request that has one", async () => {
  const { url: endpoint, requests } = await fakeAwsForTest({ answer: () => setTimeout(600, {}) });
  const { transport } = dynamoForTest("direct", { endpoint, maxAttempts: 1 }, { connectMs: 500, requestMs: 10_000 });
  await transport.send(get());
  expect(requests).toHaveLength(1);
});

it("2,000 calls leave no socket, timer or listener behind", async () => {
  const { url: endpoint, connections } = await fakeAwsForTest({
    // Each kind of end: a success, an error's body, a connection that is cut.
    answer: (_, index) => {
      if (index % 100 === 98) return (response) => response.socket?.destroy();
      return index % 100 === 99 ? { status: 400 } : { body: { Item: { userId: { S: "alice" } } } };
    },
  });
  const timersBefore = activeTimers();
  const sockets = clientSockets();
  const { client, transport } = dynamoForTest("direct", { endpoint, maxAttempts: 1 });
  const { signal } = new AbortController();
  const call = () => transport.send(get(), { abortSignal: signal }).catch(() => {});

  for (let calls = 0; calls < 10; calls++) await call();
  const [first] = sockets;
  if (!first) throw new Error("A call opens a socket");
  const listeners = listenersOf(first);
  for (let calls = 10; calls < 80; calls++) await call();
  expect(listenersOf(first)).toEqual(listeners);
  for (let calls = 80; calls < 2000; calls += 20) await Promise.all(Array.from({ length: 20 }, call));

  expect(getEventListeners(signal, "abort")).toEqual([]);
  await until(() => activeTimers() <= timersBefore);
  expect(activeTimers()).toBeLessThanOrEqual(timersBefore);
  // 20 at the same time, and one more for each that was cut.
  expect(sockets.length).toBeLessThanOrEqual(40);
  client.destroy();
  await until(() => connections.open === 0 && sockets.every(({ destroyed }) => destroyed));
  expect([connections.open, sockets.filter(({ destroyed }) => !destroyed)]).toEqual([0, []]);
});
