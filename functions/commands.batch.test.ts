import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { authenticate } from "../lib/http/authenticate.ts";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { batchSchema, problemSchema } from "../lib/http/schemas.ts";
import { userIdOf } from "../lib/ledger/message.ts";
import { type Request, submit } from "../lib/ledger/submit.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { consumeSent, submissionWith } from "../testkit/inMemoryPorts.ts";
import { handler } from "./commands.ts";

const memory = await vi.hoisted(async () => (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts());
vi.mock(import("../lib/aws/adapters.ts"), () => ({ ports: memory }));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({ ...(await original()), authenticate: vi.fn() }));
vi.stubEnv("SELF_SERVICE", "deposits");

const ADMIN = { subject: "service", scopes: new Set(["wallets:admin"]) };
const USD = { currency: "USD", amount: "1.00" };
const EUR = { currency: "EUR", amount: "1.00" };
const KB = 1024;
const NOTHING = `tx_${"a".repeat(43)}`;

/** Ids of alice's transactions, by what they are. */
const ids = new Map<string, string>();

/** Decides a request, and all that follows from it. */
async function done(request: Request, userId = "alice") {
  const submitted = await submit({ ...submissionWith(), userId, idempotencyKey: randomUUID(), request }, memory);
  if (!submitted.accepted) throw new Error(`Not accepted: ${submitted.problem}`);
  await decideAll();
  return submitted.transaction.id;
}

async function decideAll(): Promise<void> {
  while (memory.sent.length > 0) await consumeSent(memory);
}

beforeAll(async () => {
  for (const userId of ["alice", "bob"]) await done({ type: "deposit", currency: "USD", amount: "100" }, userId);
  ids.set("deposit", await done({ type: "deposit", ...USD }));
  ids.set("hold", await done({ type: "hold", ...USD }));
  ids.set("other hold", await done({ type: "hold", ...USD }));
  ids.set("promised hold", await done({ type: "hold", ...USD, to: "bob" }));
  ids.set("hold of bob", await done({ type: "hold", ...USD }, "bob"));
});

beforeEach(() => {
  vi.mocked(authenticate).mockResolvedValue(ADMIN);
  memory.sent.length = 0;
  memory.calls.length = 0;
});

/** A deposit of alice's under a new key, unless something is changed. */
const command = (change: object = {}) => ({
  type: "deposit",
  userId: "alice",
  idempotencyKey: randomUUID(),
  ...USD,
  ...change,
});
/** A command that refers to one of alice's transactions, or to an id. */
const referring = (type: string, of: string, change: object = {}) => ({
  type,
  userId: "alice",
  idempotencyKey: randomUUID(),
  refersTo: ids.get(of) ?? of,
  ...change,
});

async function post(body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await handler(
    httpEvent({ method: "POST", path: "/v1/batches", headers, body: text }),
    lambdaContext,
  );
  return { status: response.statusCode, body: JSON.parse(response.body ?? "") };
}

/** The results of a batch, each as its status and the transaction's type or the problem's code and pointers. */
async function resultsOf(...commands: readonly unknown[]) {
  const { status, body } = await post({ commands });
  expect(status).toBe(200);
  return batchSchema
    .parse(body)
    .results.map((result) =>
      "transaction" in result
        ? `${result.status} ${result.transaction.type}${result.replayed ? " replayed" : ""}`
        : [result.status, result.problem.code, ...(result.problem.errors ?? []).map(({ pointer }) => pointer)].join(
            " ",
          ),
    );
}

/** The batch is refused as a whole, and nothing is stored or sent. */
async function expectRefused(body: unknown, expected: string, headers: Record<string, string> = {}) {
  const before = memory.transactions.size;
  const problem = problemSchema.parse((await post(body, headers)).body);
  const { status, code, errors = [] } = problem;
  expect([status, code, ...errors.map(({ pointer }) => pointer)].join(" ")).toBe(expected);
  expect([memory.transactions.size, memory.sent.length]).toEqual([before, 0]);
  return problem;
}

describe("POST /v1/batches", () => {
  it("accepts every movement, and answers in the order of the request", async () => {
    const commands = [
      command(),
      command({ type: "withdrawal" }),
      command({ type: "transfer", to: "bob" }),
      command({ type: "hold" }),
      referring("capture", "hold"),
      referring("release", "other hold"),
      { type: "exchange", userId: "alice", idempotencyKey: randomUUID(), sell: USD, buy: EUR },
      referring("reversal", "deposit"),
      { type: "status_change", userId: "alice", idempotencyKey: randomUUID(), status: "active" },
    ];
    const types = commands.map(({ type }) => type);
    expect(types.toSorted()).toEqual(MOVEMENTS.map(({ type }) => type).sort());

    expect(await resultsOf(...commands)).toEqual(types.map((type) => `202 ${type}`));
    expect(memory.sent.map((message) => message.commands.map(({ type }) => type))).toEqual([types]);
    await decideAll();
    expect(await resultsOf(...commands)).toEqual(types.map((type) => `202 ${type} replayed`));
    expect(memory.sent).toEqual([]);
  });

  it("stores reference and metadata, the admin as the actor, and sends the request's id", async () => {
    const details = { reference: "payroll 11/2026", metadata: { month: "2026-11" } };
    const { body } = await post({ commands: [command({ userId: "bob", ...details })] });
    const { transaction } = body.results[0];
    expect(transaction).toMatchObject({ userId: "bob", actor: "admin", status: "pending", ...details });
    expect(memory.sent).toMatchObject([{ requestId: "request-1", commands: [{ id: transaction.id }] }]);
  });

  it("gives the admin in its own wallet the permissions of the owner first, as a single request does", async () => {
    vi.mocked(authenticate).mockResolvedValue({ ...ADMIN, subject: "alice" });
    const { body } = await post({ commands: [command(), command({ type: "withdrawal" }), command({ userId: "bob" })] });
    const actors = body.results.map((result: { transaction: { actor: string } }) => result.transaction.actor);
    expect(actors).toEqual(["owner", "admin", "admin"]);
  });

  it("shows the other user of a promised hold no more than a single request does", async () => {
    vi.mocked(authenticate).mockResolvedValue({ ...ADMIN, subject: "bob" });
    const capture = referring("capture", "promised hold", { amount: "0.25", final: false });
    const { body } = await post({ commands: [capture, referring("capture", "hold")] });
    const [promised, own] = body.results.map((result: { transaction: object }) => result.transaction);
    expect(Object.keys(promised)).not.toContain("postings");
    expect(Object.keys(promised)).not.toContain("reference");
    expect(promised).toMatchObject({ type: "capture", amount: "0.25", status: "pending" });
    expect(own).toMatchObject({ type: "capture", postings: [], actor: "admin" });
    const { idempotencyKey, refersTo, type: _, userId, ...single } = capture;
    const replayed = await handler(
      httpEvent({
        method: "POST",
        path: "/v1/users/{userId}/holds/{id}/captures",
        headers: { "idempotency-key": idempotencyKey },
        pathParameters: { userId, id: refersTo },
        body: JSON.stringify(single),
      }),
      lambdaContext,
    );
    expect(replayed.headers).toMatchObject({ "idempotency-replayed": "true" });
    expect(JSON.parse(replayed.body ?? "")).toEqual(promised);
  });

  it("reads all that its commands refer to at once", async () => {
    await resultsOf(referring("capture", "hold"), referring("reversal", "deposit"), referring("capture", "hold"));
    expect(memory.calls.filter((call) => call.startsWith("find"))).toEqual(["findTransactions alice alice"]);
  });
});

describe("the caller of a batch", () => {
  it.each(["", "wallets:read", "wallets:admins"])("needs the scope wallets:admin: not %j", async (scope) => {
    vi.mocked(authenticate).mockResolvedValue({ subject: "alice", scopes: new Set([scope]) });
    for (const body of [{ commands: [command()] }, "{"]) await expectRefused(body, "403 forbidden");
  });

  it("needs a token", async () => {
    vi.mocked(authenticate).mockRejectedValue(new HttpProblem("unauthorized"));
    await expectRefused({ commands: [command()] }, "401 unauthorized");
  });
});

describe("the body of a batch", () => {
  it.each<[string, unknown, string]>([
    ["no JSON", "{", "400 malformed_json"],
    ["a field twice", '{"commands":[],"commands":[]}', "400 malformed_json"],
    ["null", "null", "422 validation_failed "],
    ["a list", [], "422 validation_failed "],
    ["no commands", {}, "422 validation_failed /commands"],
    ["an empty list", { commands: [] }, "422 validation_failed /commands"],
    ["101 commands", { commands: Array(101).fill({}) }, "422 validation_failed /commands"],
    ["an object for the list", { commands: { 0: command() } }, "422 validation_failed /commands"],
    [
      "a command that is no object",
      { commands: [command(), "x", null] },
      "422 validation_failed /commands/1 /commands/2",
    ],
    ["an unknown field", { commands: [command()], mode: "all" }, "422 validation_failed /mode"],
    ["__proto__", `{"commands":[{"__proto__":{"type":"deposit"}}]}`, "422 validation_failed "],
  ])("can't be %s", async (_what, body, expected) => void (await expectRefused(body, expected)));

  it("has at most 256 KB, in the type application/json", async () => {
    const body = JSON.stringify({ commands: [command()] });
    const { detail } = await expectRefused(body.padEnd(256 * KB + 1), "413 payload_too_large");
    expect(detail).toBe("The body is larger than 256 KB");
    const type = { "content-type": "text/plain" };
    await expectRefused(body, "415 unsupported_media_type", type);
    expect((await post(body.padEnd(256 * KB))).status).toBe(200);
  });

  it("has up to 100 commands", async () => {
    const users = ["alice", "bob", "carol"];
    const commands = Array.from({ length: 100 }, (_, index) => command({ userId: users[index % 3] }));
    expect(await resultsOf(...commands)).toEqual(Array(100).fill("202 deposit"));
    expect(memory.sent.map((message) => [userIdOf(message), message.commands.length])).toEqual([
      ["alice", 34],
      ["bob", 33],
      ["carol", 33],
    ]);
  });
});

describe("a command that is refused", () => {
  it("has a result of its own with a pointer into the batch; the others are accepted", async () => {
    const { userId: _, ...noUser } = command();
    const { idempotencyKey: __, ...noKey } = command();
    const { refersTo: ___, ...noReference } = referring("capture", "hold");
    const refused: readonly (readonly [object, string])[] = [
      [{}, "422 validation_failed /commands/1/type /commands/1/userId /commands/1/idempotencyKey"],
      [command({ type: "loan" }), "422 validation_failed /commands/1/type"],
      [command({ type: "credit" }), "422 validation_failed /commands/1/type"],
      [command({ type: "expiry" }), "422 validation_failed /commands/1/type"],
      [noUser, "422 validation_failed /commands/1/userId"],
      [command({ userId: ".." }), "422 validation_failed /commands/1/userId"],
      [noKey, "422 validation_failed /commands/1/idempotencyKey"],
      [command({ idempotencyKey: "a,b" }), "422 validation_failed /commands/1/idempotencyKey"],
      [command({ idempotencyKey: "k".repeat(256) }), "422 validation_failed /commands/1/idempotencyKey"],
      [command({ amount: 1 }), "422 validation_failed /commands/1/amount"],
      [command({ amount: "1.001" }), "422 amount_scale /commands/1/amount"],
      [command({ currency: "XXX" }), "422 unknown_currency /commands/1/currency"],
      [command({ "a/b": 1 }), "422 validation_failed /commands/1/a~1b"],
      [command({ actor: "owner" }), "422 validation_failed /commands/1/actor"],
      [command({ metadata: { a: 1 } }), "422 validation_failed /commands/1/metadata/a"],
      [command({ type: "transfer", to: "alice" }), "422 same_wallet /commands/1/to"],
      [command({ type: "transfer", to: "nobody" }), "422 unknown_receiver /commands/1/to"],
      [command({ refersTo: ids.get("hold") }), "422 validation_failed /commands/1/refersTo"],
      [
        command({ type: "exchange" }),
        "422 validation_failed /commands/1/sell /commands/1/buy /commands/1/currency /commands/1/amount",
      ],
      [noReference, "422 validation_failed /commands/1/refersTo"],
      [referring("capture", "x"), "422 validation_failed /commands/1/refersTo"],
      [referring("capture", NOTHING), "404 not_found"],
      [referring("capture", "deposit"), "404 not_found"],
      [referring("release", "hold of bob"), "404 not_found"],
      [referring("reversal", NOTHING), "404 not_found"],
      [referring("reversal", "hold of bob"), "404 not_found"],
      [referring("capture", "hold", { amount: "9".repeat(37) }), "422 amount_limit /commands/1/amount"],
    ];
    for (const [wrong, expected] of refused) {
      const before = memory.transactions.size;
      expect(await resultsOf(command(), wrong, command()), JSON.stringify(wrong)).toEqual([
        "202 deposit",
        expected,
        "202 deposit",
      ]);
      expect(memory.transactions.size).toBe(before + 2);
      expect(memory.sent.splice(0).map(({ commands }) => commands.length)).toEqual([2]);
    }
  });

  it("has the problem details of a single request", async () => {
    const wrong = command({ amount: "1.001" });
    const { results } = batchSchema.parse((await post({ commands: [wrong] })).body);
    const { type: _, userId, idempotencyKey, ...body } = wrong;
    const single = await handler(
      httpEvent({
        method: "POST",
        path: "/v1/users/{userId}/deposits",
        headers: { "idempotency-key": idempotencyKey },
        pathParameters: { userId },
        body: JSON.stringify(body),
      }),
      lambdaContext,
    );
    const problem = problemSchema.parse(JSON.parse(single.body ?? ""));
    const errors = problem.errors?.map((error) => ({ ...error, pointer: `/commands/0${error.pointer}` }));
    expect(results).toEqual([{ status: single.statusCode, problem: { ...problem, errors } }]);
    expect(problem.requestId).toBe("request-1");
  });

  it("has more than 16 KB", async () => {
    const sized = (bytes: number) => {
      const empty = command({ note: "" });
      return { ...empty, note: "n".repeat(bytes - Buffer.byteLength(JSON.stringify(empty))) };
    };
    expect(await resultsOf(sized(16 * KB), sized(16 * KB + 1), command())).toEqual([
      "422 validation_failed /commands/0/note",
      "413 payload_too_large",
      "202 deposit",
    ]);
    const { body } = await post({ commands: [sized(16 * KB + 1)] });
    expect(body.results[0].problem.detail).toBe("The command is larger than 16 KB");
  });

  it("reuses a key: of an earlier batch, or of the same one", async () => {
    const first = command();
    await resultsOf(first);
    const own = { idempotencyKey: randomUUID() };
    expect(
      await resultsOf({ ...first, amount: "2.00" }, command(own), command(own), command({ ...own, amount: "3.00" })),
    ).toEqual(["422 idempotency_key_reused", "202 deposit", "202 deposit replayed", "422 idempotency_key_reused"]);
  });
});

describe("a failure of AWS", () => {
  it("in one user's put is a 503 in the results of this user; the others are accepted, and the repetition completes", async () => {
    const commands = [command(), command({ userId: "bob" }), command(), command({ userId: "bob" })];
    memory.fail("putAllPending", "before", { userId: "bob" });
    const results = await resultsOf(...commands);
    expect(results).toEqual(["202 deposit", "503 unavailable", "202 deposit", "503 unavailable"]);
    expect(memory.sent.map(userIdOf)).toEqual(["alice"]);

    expect((await resultsOf(...commands)).filter((result) => result.startsWith("202"))).toHaveLength(4);
    expect(memory.sent.at(-1)?.commands).toHaveLength(2);
  });

  it("in the queue is a 503 in the results of what may not have been sent", async () => {
    const commands = [command(), command({ userId: "bob" })];
    memory.fail("send", "before", { userId: "alice" });
    expect(await resultsOf(...commands)).toEqual(["503 unavailable", "202 deposit"]);
    expect(await resultsOf(...commands)).toEqual(["202 deposit replayed", "202 deposit replayed"]);
  });

  it("in one put that is a bug is a 500 without its cause in the result", async () => {
    memory.fail("putAllPending", "before", { userId: "bob", error: new TypeError("secret detail") });
    const { body } = await post({ commands: [command(), command({ userId: "bob" })] });
    expect(body.results).toMatchObject([{ status: 202 }, { status: 500, problem: { code: "internal_error" } }]);
    expect(JSON.stringify(body)).not.toContain("secret");
  });

  it("in the read of what the commands refer to is a 503 of the whole batch, of which nothing is stored", async () => {
    memory.fail("findTransactions", "before");
    await expectRefused({ commands: [command(), referring("capture", "hold")] }, "503 unavailable");
  });

  it("in the read of the transfers' states leaves these open", async () => {
    const transfer = command({ type: "transfer", to: "bob" });
    await resultsOf(transfer);
    await decideAll();
    const { body } = await post({ commands: [transfer] });
    expect(body.results).toMatchObject([{ replayed: true, transaction: { transfer: { status: "credited" } } }]);

    memory.fail("findTransactions", "before");
    expect((await post({ commands: [transfer] })).body.results).toMatchObject([
      { status: 202, replayed: true, transaction: { status: "posted" } },
    ]);
  });
});
