import { expect, test, vi } from "vitest";
import { createClient } from "../../../packages/client/src/index.ts";
import { jsonAnswer } from "../../../testkit/fakeFetch.ts";
import { createCommandRunner } from "./commandRunner.ts";
import type { Draft } from "./draft.ts";
import type { Storage } from "./unresolved.ts";

const DEPOSIT: Draft = { type: "deposit", userId: "alice", fields: { currency: "USD", amount: "5.00" } };
const PENDING = { id: "tx_1", userId: "alice", type: "deposit", status: "pending" };
const POSTED = { ...PENDING, status: "posted" };

function memoryStorage(): Storage {
  const values = new Map<string, string>();
  return {
    getItem: (name) => values.get(name) ?? null,
    setItem: (name, value) => void values.set(name, value),
    removeItem: (name) => void values.delete(name),
  };
}

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly key: string | undefined;
}

/** A window: its runner, and the requests that it sent. `answers` is shared by what is one page over time. */
function openWindow(storage: Storage, answer: (request: Sent) => Response | Promise<Response>, subject = "alice") {
  const requests: Sent[] = [];
  const client = createClient({
    apiUrl: "https://api.example",
    token: "t",
    maxRetries: 0,
    fetch: async (url, init) => {
      const headers = new Headers(init?.headers);
      const request = {
        method: init?.method ?? "",
        url: String(url),
        key: headers.get("idempotency-key") ?? undefined,
      };
      requests.push(request);
      return answer(request);
    },
  });
  let keys = 0;
  const newKey = () => `key-${requests.length}-${++keys}`;
  const runner = createCommandRunner({ client, storage, subject, newKey });
  const stateIs = (state: string | undefined) => expect.poll(() => runner.attempts()[0]?.state).toBe(state);
  return { runner, requests, stateIs };
}

const never = () => new Promise<Response>(() => {});

test("a posted command is shown, and its key is not kept", async () => {
  const storage = memoryStorage();
  const { runner, stateIs } = openWindow(storage, () => jsonAnswer(201, POSTED));
  runner.start(DEPOSIT);
  expect(runner.attempts()).toMatchObject([{ state: "sending", draft: DEPOSIT }]);
  await stateIs("settled");
  expect(storage.getItem("antler.commands.alice")).toBeNull();
});

test("a rejected command is settled too", async () => {
  const rejected = { ...PENDING, status: "rejected", rejection: { code: "wallet_frozen", detail: "" } };
  const problem = { code: "wallet_frozen", status: 422, transaction: rejected };
  const { runner, stateIs } = openWindow(memoryStorage(), () => jsonAnswer(422, problem));
  runner.start(DEPOSIT);
  await stateIs("settled");
  expect(runner.attempts()).toMatchObject([{ transaction: rejected }]);
});

test("a double click sends one command", async () => {
  const { runner, requests } = openWindow(memoryStorage(), never);
  runner.start(DEPOSIT);
  runner.start(DEPOSIT);
  expect(requests).toHaveLength(1);
});

test("a retry during the request sends nothing more", () => {
  const { runner, requests } = openWindow(memoryStorage(), never);
  runner.start(DEPOSIT);
  runner.retry(DEPOSIT);
  runner.resume();
  expect(requests).toHaveLength(1);
});

test("a transfer is settled when the receiver has the money", async () => {
  const transfer = { ...POSTED, type: "transfer", transfer: { to: "bob", creditId: "tx_2", status: "in_transit" } };
  const credited = { ...transfer, transfer: { ...transfer.transfer, status: "credited" } };
  const { runner, stateIs } = openWindow(memoryStorage(), ({ method }) =>
    method === "POST" ? jsonAnswer(201, transfer) : jsonAnswer(200, credited),
  );
  runner.start({ type: "transfer", userId: "alice", fields: { currency: "USD", amount: "5.00", to: "bob" } });
  await stateIs("settled");
  expect(runner.attempts()).toMatchObject([{ transaction: credited }]);
});

test("after a reload during the request, the same key is sent again", async () => {
  const storage = memoryStorage();
  const before = openWindow(storage, never);
  before.runner.start(DEPOSIT);
  const after = openWindow(storage, () => jsonAnswer(201, POSTED));
  after.runner.resume();
  await after.stateIs("settled");
  expect(after.requests).toEqual([before.requests[0]]);
});

test("after a reload, a command that the ledger has is only read", async () => {
  const storage = memoryStorage();
  const before = openWindow(storage, ({ method }) => (method === "POST" ? jsonAnswer(202, PENDING) : never()));
  before.runner.start(DEPOSIT);
  await before.stateIs("accepted");
  const after = openWindow(storage, () => jsonAnswer(200, POSTED));
  after.runner.resume();
  await after.stateIs("settled");
  expect(after.requests.map(({ method }) => method)).toEqual(["GET"]);
});

test("a broken connection keeps the key for the next attempt, and a new command of the form waits", async () => {
  let isOnline = false;
  const { runner, requests, stateIs } = openWindow(memoryStorage(), () => {
    if (!isOnline) throw new TypeError("offline");
    return jsonAnswer(201, POSTED);
  });
  runner.start(DEPOSIT);
  await stateIs("unknown");
  runner.start({ ...DEPOSIT, fields: { currency: "USD", amount: "6.00" } });
  expect(runner.attempts()).toMatchObject([{ draft: DEPOSIT, failure: { code: "connection_failed" } }]);
  isOnline = true;
  runner.retryUnknown();
  await stateIs("settled");
  expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
});

test.each([401, 429, 500])("after the status %i the key is kept", async (status) => {
  const storage = memoryStorage();
  const { runner, stateIs } = openWindow(storage, () => jsonAnswer(status, { code: "unauthorized", status }));
  runner.start(DEPOSIT);
  await stateIs("unknown");
  expect(openWindow(storage, never).runner.attempts()).toMatchObject([{ state: "unknown", draft: DEPOSIT }]);
});

test("a refused command is corrected under a new key", async () => {
  const storage = memoryStorage();
  const errors = [{ pointer: "/amount", detail: "must be shorter" }];
  const { runner, requests, stateIs } = openWindow(storage, () =>
    jsonAnswer(422, { code: "validation_failed", status: 422, errors }),
  );
  runner.start(DEPOSIT);
  await stateIs("refused");
  expect(runner.attempts()).toMatchObject([{ failure: { code: "validation_failed", errors } }]);
  expect(openWindow(storage, never).runner.attempts()).toEqual([]);
  runner.start(DEPOSIT);
  await stateIs("refused");
  expect(new Set(requests.map(({ key }) => key)).size).toBe(2);
});

test("commands of different forms run at the same time", () => {
  const { runner, requests } = openWindow(memoryStorage(), never);
  runner.start(DEPOSIT);
  runner.start({ ...DEPOSIT, userId: "bob" });
  runner.start({ type: "capture", userId: "alice", refersTo: "tx_1", fields: {} });
  runner.start({ type: "capture", userId: "alice", refersTo: "tx_2", fields: {} });
  expect(requests).toHaveLength(4);
});

test("another user of the window neither sees nor sends the command", () => {
  const storage = memoryStorage();
  openWindow(storage, never).runner.start(DEPOSIT);
  const { runner, requests } = openWindow(storage, never, "bob");
  runner.resume();
  expect(runner.attempts()).toEqual([]);
  expect(requests).toEqual([]);
});

test("what is stored and is no command is ignored", () => {
  const storage = memoryStorage();
  for (const value of ["{", "{}", '[null,{"type":"deposit"},{"type":"theft","userId":"a","idempotencyKey":"k"}]']) {
    storage.setItem("antler.commands.alice", value);
    expect(openWindow(storage, never).runner.attempts()).toEqual([]);
  }
});

test("an outcome that the user has seen is dismissed, and a command without one is not", async () => {
  const { runner, stateIs } = openWindow(memoryStorage(), () => jsonAnswer(201, POSTED));
  runner.start(DEPOSIT);
  runner.dismiss(DEPOSIT);
  runner.forget(DEPOSIT);
  expect(runner.attempts()).toMatchObject([{ state: "sending" }]);
  await stateIs("settled");
  runner.dismiss(DEPOSIT);
  expect(runner.attempts()).toEqual([]);
});

test("listeners are called on every change until the subscription ends", async () => {
  const { runner, stateIs } = openWindow(memoryStorage(), () => jsonAnswer(201, POSTED));
  const listener = vi.fn();
  const end = runner.subscribe(listener);
  runner.start(DEPOSIT);
  await stateIs("settled");
  expect(listener).toHaveBeenCalledTimes(2);
  end();
  runner.forget(DEPOSIT);
  expect(runner.attempts()).toEqual([]);
  expect(listener).toHaveBeenCalledTimes(2);
});
