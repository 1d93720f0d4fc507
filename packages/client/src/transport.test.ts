import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeFetch, fakeFetch, jsonAnswer, problemAnswer } from "../../../testkit/fakeFetch.ts";
import { AntlerError, type ClientOptions, createClient } from "./index.ts";

const BALANCES = { userId: "alice", status: "active", sequence: 0, hash: null, balances: [] };
const ok = () => jsonAnswer(200, BALANCES);

function clientOf({ fetch }: FakeFetch, options: Partial<ClientOptions> = {}) {
  return createClient({ apiUrl: "https://api.test/stage/", token: "secret", fetch, ...options });
}

/** Asks for balances, and lets all pauses pass. */
async function readBalances(fake: FakeFetch, options: Partial<ClientOptions> = {}, signal?: AbortSignal) {
  const reading = clientOf(fake, options).wallet("alice").balances({ signal });
  const settled = reading.then(
    (balances) => ({ balances }),
    (error: unknown) => ({ error }),
  );
  await vi.runAllTimersAsync();
  return settled;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime("2026-11-30T08:00:00.000Z");
  vi.spyOn(Math, "random").mockReturnValue(1);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** How long all pauses of a call took, in milliseconds. */
async function pausesOf(call: () => Promise<unknown>): Promise<number> {
  const startMs = Date.now();
  await call();
  return Date.now() - startMs;
}

describe("a request", () => {
  it("has the URL, the token and nothing else", async () => {
    const fake = fakeFetch(ok());
    expect(await readBalances(fake)).toEqual({ balances: BALANCES });
    const [request] = fake.requests;
    expect(request?.url).toBe("https://api.test/stage/v1/users/alice/balances");
    expect([...(request?.headers ?? [])]).toEqual([["authorization", "Bearer secret"]]);
  });

  it("asks for the token each time, also before a retry", async () => {
    const fake = fakeFetch(problemAnswer(503, "unavailable"), ok());
    let asked = 0;
    await readBalances(fake, { token: async () => `token ${++asked}` });
    expect(fake.requests.map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer token 1",
      "Bearer token 2",
    ]);
  });

  it("for currencies and health has no token", async () => {
    const fake = fakeFetch(jsonAnswer(200, { data: [] }));
    const client = clientOf(fake);
    expect([await client.currencies(), await client.health()]).toEqual([[], { data: [] }]);
    expect(fake.requests.map(({ headers }) => headers.get("authorization"))).toEqual([null, null]);
  });

  it("is not sent if there is no token to be had", async () => {
    const [fake, error] = [fakeFetch(ok()), new Error("Signed out")];
    const token = () => {
      throw error;
    };
    expect(await readBalances(fake, { token })).toEqual({ error });
    expect(fake.requests).toEqual([]);
  });

  it.each([
    { apiUrl: "" },
    { apiUrl: "api.test" },
    { apiUrl: "ftp://api.test" },
    { maxRetries: -1 },
    { maxRetries: Number.NaN },
    { timeoutMs: 0 },
  ])("is refused with the options %j", (options) => {
    expect(() => clientOf(fakeFetch(), options)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });

  it.each(["", ".", ".."])("can't be about the user or the transaction %j", async (id) => {
    const client = clientOf(fakeFetch());
    const invalid = expect.objectContaining({ code: "invalid_argument" });
    expect(() => client.wallet(id)).toThrow(invalid);
    await expect(client.wallet("alice").transaction(id)).rejects.toThrow(invalid);
    await expect(client.wallet("alice").capture(id, { idempotencyKey: "key" })).rejects.toThrow(invalid);
    await expect(client.webhooks.delete(id)).rejects.toThrow(invalid);
  });
});

describe("a retry", () => {
  const broken = new TypeError("fetch failed");

  it.each([
    ["429", jsonAnswer(429, { message: "Too Many Requests" })],
    ["500", problemAnswer(500, "internal_error")],
    ["502 of a proxy", new Response("<h1>Bad gateway</h1>", { status: 502 })],
    ["503", problemAnswer(503, "unavailable")],
    ["a broken connection", broken],
    ["no answer in time", undefined],
  ])("follows %s", async (_name, answer) => {
    const fake = fakeFetch(answer, ok());
    expect(await readBalances(fake)).toEqual({ balances: BALANCES });
    expect(fake.requests).toHaveLength(2);
  });

  it.each([400, 401, 403, 404, 413, 415, 422])("does not follow %i", async (status) => {
    const fake = fakeFetch(problemAnswer(status, "forbidden"));
    expect(await readBalances(fake)).toEqual({ error: expect.objectContaining({ status }) });
    expect(fake.requests).toHaveLength(1);
  });

  it("comes after a pause of full jitter that doubles up to 8 s, at most maxRetries times", async () => {
    const fake = fakeFetch(broken);
    const pauses = 250 + 500 + 1000 + 2000 + 4000 + 8000 + 8000;
    expect(await pausesOf(() => readBalances(fake, { maxRetries: 7 }))).toBe(pauses);
    expect(fake.requests).toHaveLength(8);
    vi.mocked(Math.random).mockReturnValue(0.5);
    expect(await pausesOf(() => readBalances(fake, { maxRetries: 7 }))).toBe(pauses / 2);
    expect(await pausesOf(() => readBalances(fake, { maxRetries: 0 }))).toBe(0);
  });

  it("comes four times by default", async () => {
    const fake = fakeFetch(broken);
    await readBalances(fake);
    expect(fake.requests).toHaveLength(5);
  });

  it.each([
    ["7", 7000],
    ["0", 0],
    ["Mon, 30 Nov 2026 08:00:09 GMT", 9000],
    ["Mon, 30 Nov 2026 07:00:00 GMT", 0],
    ["soon", 250],
  ])("comes after Retry-After: %s", async (retryAfter, pauseMs) => {
    const fake = fakeFetch(problemAnswer(503, "unavailable", { headers: { "retry-after": retryAfter } }), ok());
    expect(await pausesOf(() => readBalances(fake))).toBe(pauseMs);
    expect(fake.requests).toHaveLength(2);
  });

  it("does not come if Retry-After is above a minute", async () => {
    const fake = fakeFetch(problemAnswer(503, "unavailable", { headers: { "retry-after": "61" } }));
    expect(await readBalances(fake)).toEqual({ error: expect.objectContaining({ code: "unavailable" }) });
    expect(fake.requests).toHaveLength(1);
  });

  it("has the key and the body of the first request", async () => {
    const fake = fakeFetch(broken, problemAnswer(500, "internal_error"), jsonAnswer(202, { id: "tx_1" }));
    const command = { currency: "USD", amount: "1.00", idempotencyKey: "order-1" };
    const deposit = clientOf(fake).wallet("alice").deposit(command);
    await vi.runAllTimersAsync();
    expect(await deposit).toEqual({ id: "tx_1", replayed: false });
    const keys = fake.requests.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toEqual(["order-1", "order-1", "order-1"]);
    const bodies = await Promise.all(fake.requests.map((request) => request.json()));
    expect(bodies).toEqual(Array(3).fill({ currency: "USD", amount: "1.00" }));
  });

  it("of a call without a key follows only what the API has not executed", async () => {
    const create = async (answer: Response | Error) => {
      const fake = fakeFetch(answer, jsonAnswer(201, {}));
      const creating = clientOf(fake)
        .webhooks.create({ url: "https://example.com" })
        .catch(() => {});
      await vi.runAllTimersAsync();
      await creating;
      return fake.requests.length;
    };
    expect(await create(jsonAnswer(429, {}))).toBe(2);
    expect(await create(problemAnswer(503, "unavailable"))).toBe(1);
    expect(await create(broken)).toBe(1);
  });

  it("does not follow a failed check of the health", async () => {
    const fake = fakeFetch(problemAnswer(503, "unavailable"));
    await expect(clientOf(fake).health()).rejects.toMatchObject({ code: "unavailable" });
    expect(fake.requests).toHaveLength(1);
  });
});

describe("an abort", () => {
  it("before the call sends nothing", async () => {
    const fake = fakeFetch(ok());
    const reason = new Error("Not needed");
    expect(await readBalances(fake, {}, AbortSignal.abort(reason))).toEqual({ error: reason });
    expect(fake.requests).toEqual([]);
  });

  it.each([
    ["a request that never gets an answer", undefined],
    ["a pause", problemAnswer(503, "unavailable", { headers: { "retry-after": "30" } })],
  ])("ends %s at once", async (_name, answer) => {
    const fake = fakeFetch(answer);
    const controller = new AbortController();
    const reading = clientOf(fake).wallet("alice").balances({ signal: controller.signal });
    await vi.advanceTimersByTimeAsync(1000);
    const startMs = Date.now();
    const reason = new Error("Not needed");
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(Date.now()).toBe(startMs);
    expect(vi.getTimerCount()).toBe(0);
    expect(fake.requests).toHaveLength(1);
  });

  it("reaches fetch", async () => {
    const fake = fakeFetch(undefined);
    const controller = new AbortController();
    const reading = clientOf(fake).wallet("alice").balances({ signal: controller.signal });
    await vi.advanceTimersByTimeAsync(0);
    controller.abort();
    await expect(reading).rejects.toThrow();
    expect(fake.requests[0]?.signal.aborted).toBe(true);
  });
});

describe("an error", () => {
  it("has what the problem details have", async () => {
    const errors = [{ pointer: "/amount", detail: "must be a decimal string" }];
    const fake = fakeFetch(
      problemAnswer(422, "validation_failed", { errors, headers: { "x-request-id": "request-1" } }),
    );
    const { error } = Object(await readBalances(fake));
    expect(error).toBeInstanceOf(AntlerError);
    expect(error).toMatchObject({
      ...{
        name: "AntlerError",
        code: "validation_failed",
        status: 422,
        requestId: "request-1",
        errors,
        replayed: false,
      },
      message: "Detail of validation_failed; /amount: must be a decimal string",
    });
    expect(error).not.toHaveProperty("cause");
  });

  it("says whether the API knew the key", async () => {
    const fake = fakeFetch(problemAnswer(409, "unavailable", { headers: { "idempotency-replayed": "true" } }));
    expect(await readBalances(fake)).toMatchObject({ error: { replayed: true } });
  });

  it.each([
    ["an HTML page", new Response("<h1>Hi</h1>", { headers: { "content-type": "text/html" } }), 200],
    ["broken JSON", new Response("{", { headers: { "content-type": "application/json" } }), 200],
    ["API Gateway's own 403", jsonAnswer(403, { message: "Forbidden" }), 403],
    ["null", jsonAnswer(404, null), 404],
  ])("for %s is unexpected_response", async (_name, answer, status) => {
    expect(await readBalances(fakeFetch(answer))).toMatchObject({ error: { code: "unexpected_response", status } });
  });

  it.each([
    [
      "429 of API Gateway",
      jsonAnswer(429, { message: "Too Many Requests" }),
      { code: "too_many_requests", status: 429 },
    ],
    ["a timeout", undefined, { code: "timeout", message: "The API did not answer within 30000 ms" }],
    [
      "a broken connection",
      new TypeError("fetch failed"),
      { code: "connection_failed", cause: { message: "fetch failed" } },
    ],
  ])("for %s has a code of its own", async (_name, answer, error) => {
    expect(await readBalances(fakeFetch(answer), { maxRetries: 0 })).toMatchObject({ error });
  });

  it("for a timeout comes after the limit and the wait", async () => {
    const fake = fakeFetch(undefined);
    const wallet = clientOf(fake, { maxRetries: 0, timeoutMs: 1000 }).wallet("alice");
    const deposit = wallet.deposit({ currency: "USD", amount: "1", idempotencyKey: "key", wait: 20 }).catch(() => {});
    expect(
      await pausesOf(async () => {
        await vi.runAllTimersAsync();
        await deposit;
      }),
    ).toBe(21_000);
  });
});
