import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { problemSchema, transactionSchema } from "../lib/http/schemas.ts";
import { type Request, submit } from "../lib/ledger/submit.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { timeAt } from "../testkit/histories.ts";
import { consumeSent, submissionWith } from "../testkit/inMemoryPorts.ts";
import { handler } from "./commands.ts";

const memory = await vi.hoisted(async () => (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts());
vi.mock(import("../lib/aws/adapters.ts"), () => ({ ports: memory }));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async () => ({ subject: "service", scopes: new Set(["wallets:admin"]) }),
}));
vi.stubEnv("SELF_SERVICE", "none");

const DAY_MS = 24 * 3_600_000;
const USD = { currency: "USD", amount: "1.00" };
const EUR = { currency: "EUR", amount: "1.00" };

/** Ids of alice's transactions, by what they are. */
const ids = new Map([["nothing", `tx_${"a".repeat(43)}`]]);

/** Decides a request, and all that follows from it. @returns the transaction as it was accepted */
async function done(request: Request, userId = "alice") {
  const submitted = await submit({ ...submissionWith(), userId, idempotencyKey: randomUUID(), request }, memory);
  if (!submitted.accepted) throw new Error(`Not accepted: ${submitted.problem}`);
  while (memory.sent.length > 0) await consumeSent(memory);
  return submitted.transaction;
}

beforeAll(async () => {
  for (const userId of ["alice", "bob", "closed"]) {
    await done({ type: "status_change", newStatus: userId === "closed" ? "closed" : "active" }, userId);
  }
  ids.set("deposit", (await done({ type: "deposit", currency: "USD", amount: "100" })).id);
  await done({ type: "deposit", currency: "JPY", amount: "100" });
  ids.set("hold", (await done({ type: "hold", ...USD })).id);
  ids.set("hold in yen", (await done({ type: "hold", currency: "JPY", amount: "10" })).id);
  ids.set("exchange", (await done({ type: "exchange", sell: USD, buy: EUR })).id);
  ids.set("status change", (await done({ type: "status_change", newStatus: "active" })).id);
  ids.set("hold of bob", (await done({ type: "hold", ...USD }, "bob")).id);
});

/** Every route, with what its `{id}` is the id of, and the least body. */
const ROUTES: readonly (readonly [route: string, of: string, type: string, body: object])[] = [
  ["deposits", "", "deposit", USD],
  ["withdrawals", "", "withdrawal", USD],
  ["transfers", "", "transfer", { ...USD, to: "bob" }],
  ["holds", "", "hold", USD],
  ["holds/{id}/captures", "hold", "capture", {}],
  ["holds/{id}/releases", "hold", "release", {}],
  ["exchanges", "", "exchange", { sell: USD, buy: EUR }],
  ["transactions/{id}/reversals", "deposit", "reversal", {}],
  ["status-changes", "", "status_change", { status: "frozen" }],
];

/**
 * Sends a command for alice's wallet.
 *
 * @param of what the `{id}` of the route is the id of, or an id
 * @param prefix of a custom domain that maps it to the API
 */
async function post(route: string, of: string, body: unknown, prefix = "") {
  const event = httpEvent({
    method: "POST",
    path: `/v1/users/{userId}/${route}`,
    headers: { "idempotency-key": randomUUID() },
    pathParameters: { userId: "alice", ...(route.includes("{id}") && { id: ids.get(of) ?? of }) },
    body: JSON.stringify(body),
  });
  event.rawPath = event.requestContext.http.path = `${prefix}${event.rawPath}`;
  const response = await handler(event, lambdaContext);
  return { status: response.statusCode, body: JSON.parse(response.body ?? "") };
}

/** The command gets 422 with a pointer to each wrong field, and nothing is stored or sent. */
async function expectRefused(route: string, of: string, body: unknown, code: string, ...pointers: string[]) {
  const before = [memory.transactions.size, memory.sent.length];
  const { errors = [], ...problem } = problemSchema.parse((await post(route, of, body)).body);
  expect(problem).toMatchObject({ status: 422, code });
  expect(errors.map(({ pointer }) => pointer)).toEqual(pointers);
  expect([memory.transactions.size, memory.sent.length]).toEqual(before);
}

it("the tests have every route", () => {
  const paths = ROUTES.map(([route]) => `/v1/users/{userId}/${route}`);
  expect(paths.sort()).toEqual(MOVEMENTS.map(({ path }) => path).sort());
});

describe.each(ROUTES)("POST %s", (route, of, type, body) => {
  it("accepts the command with its reference and metadata, behind any prefix", async () => {
    const details = { reference: "invoice 1", metadata: { order: "A-1" } };
    for (const prefix of ["", "/stage"]) {
      const response = await post(route, of, { ...body, ...details }, prefix);
      expect(response).toMatchObject({ status: 202, body: { type, userId: "alice", actor: "admin", ...details } });
      transactionSchema.parse(response.body);
      expect(memory.sent.at(-1)?.commands).toMatchObject([{ type, id: response.body.id }]);
    }
  });

  it("refuses unknown fields", async () => {
    await expectRefused(route, of, { ...body, type, actor: "owner" }, "validation_failed", "/type", "/actor");
  });

  it("refuses a body that is not an object", async () => {
    for (const wrong of [null, [], "x", 1]) await expectRefused(route, of, wrong, "validation_failed", "");
  });
});

describe("the receiver of a transfer or a hold", () => {
  const routes = ["transfers", "holds"];

  it.each(["", "a b", ".", "..", "u".repeat(129), "b\u00f6b", 1, null, ["bob"]])("can't be %j", async (to) => {
    for (const route of routes) await expectRefused(route, "", { ...USD, to }, "validation_failed", "/to");
  });

  it.each([
    ["alice", "same_wallet"],
    ["nobody", "unknown_receiver"],
    ["closed", "unknown_receiver"],
  ])("%s is refused: %s", async (to, code) => {
    for (const route of routes) await expectRefused(route, "", { ...USD, to }, code, "/to");
  });

  it("is required for a transfer", () => expectRefused("transfers", "", USD, "validation_failed", "/to"));
});

describe("the expiresAt of a hold", () => {
  const expiryOf = async (expiresAt?: unknown) => (await post("holds", "", { ...USD, expiresAt })).body.hold.expiresAt;

  it("is 7 days ahead by default, in UTC, and at most 365 days ahead", async () => {
    expect(await expiryOf()).toBe(timeAt(7 * DAY_MS));
    expect(await expiryOf("2026-11-24T01:00:00+02:00")).toBe("2026-11-23T23:00:00.000Z");
    expect(await expiryOf(timeAt(1))).toBe(timeAt(1));
    expect(await expiryOf(timeAt(365 * DAY_MS))).toBe(timeAt(365 * DAY_MS));
  });

  it.each(["tomorrow", "2026-11-30", "2026-11-30T09:30:00", "2026-11-30T09:30:00.000001Z", 1_795_426_200_000, null])(
    "can't be %j",
    (expiresAt) => expectRefused("holds", "", { ...USD, expiresAt }, "validation_failed", "/expiresAt"),
  );

  it.each([timeAt(0), timeAt(-1), "0001-01-01T00:00:00Z", timeAt(365 * DAY_MS + 1)])("can't be %s", (expiresAt) =>
    expectRefused("holds", "", { ...USD, expiresAt }, "expires_at_invalid", "/expiresAt"),
  );
});

describe("the final of a capture", () => {
  it.each([
    [undefined, true],
    [true, true],
    [false, false],
  ])("of %j is %j", async (final, expected) => {
    expect((await post("holds/{id}/captures", "hold", { final })).body).toMatchObject({ final: expected });
  });

  it.each(["true", 1, null])("can't be %j", (final) =>
    expectRefused("holds/{id}/captures", "hold", { final }, "validation_failed", "/final"),
  );
});

describe("the status of a status change", () => {
  it.each([undefined, "open", "Frozen", "", null, ["closed"]])("can't be %j", (status) =>
    expectRefused("status-changes", "", { status }, "validation_failed", "/status"),
  );

  it.each(["active", "frozen", "closed"])("can be %s", async (status) => {
    expect((await post("status-changes", "", { status })).body).toMatchObject({ newStatus: status });
  });
});

describe("the amount of a capture or a reversal", () => {
  const reversals = "transactions/{id}/reversals";
  const routes = ["holds/{id}/captures", reversals];

  it.each([
    ["1.001", "amount_scale"],
    ["0.00", "amount_zero"],
    ["-1", "amount_invalid"],
    ["1e2", "amount_invalid"],
    ["9".repeat(37), "amount_limit"],
    [1, "validation_failed"],
    [null, "validation_failed"],
  ])("can't be %j: %s", async (amount, code) => {
    for (const route of routes) await expectRefused(route, "hold", { amount }, code, "/amount");
  });

  it("has the decimals of the currency that it takes from", async () => {
    for (const route of routes) {
      expect((await post(route, "hold", { amount: "0.5" })).body).toMatchObject({ currency: "USD", amount: "0.50" });
      expect((await post(route, "hold in yen", { amount: "5" })).body).toMatchObject({ currency: "JPY", amount: "5" });
      await expectRefused(route, "hold in yen", { amount: "0.5" }, "amount_scale", "/amount");
    }
  });

  it("takes no currency and no receiver", async () => {
    const body = { amount: "1", currency: "USD", to: "bob" };
    for (const route of routes) await expectRefused(route, "hold", body, "validation_failed", "/currency", "/to");
  });

  it("is not allowed in the reversal of an exchange, which is reversed as a whole", async () => {
    await expectRefused(reversals, "exchange", { amount: "1" }, "amount_not_allowed", "/amount");
    expect((await post(reversals, "exchange", {})).status).toBe(202);
  });

  it("of a transaction that moves no money can't be reversed", () =>
    expectRefused(reversals, "status change", {}, "not_reversible"));
});

describe("the amounts of an exchange", () => {
  it.each([
    [{ sell: { ...USD, amount: "1.001" }, buy: EUR }, "amount_scale", "/sell/amount"],
    [{ sell: USD, buy: { currency: "JPY", amount: "1.5" } }, "amount_scale", "/buy/amount"],
    [{ sell: USD, buy: { ...EUR, amount: "0" } }, "amount_zero", "/buy/amount"],
    [{ sell: { ...USD, currency: "DOGE" }, buy: EUR }, "unknown_currency", "/sell/currency"],
    [{ sell: USD, buy: { currency: "XOF", amount: "1" } }, "unknown_currency", "/buy/currency"],
    [{ sell: USD, buy: { ...USD, amount: "2" } }, "same_currency", "/buy/currency"],
    [{ sell: USD }, "validation_failed", "/buy"],
    [{ sell: USD, buy: "EUR" }, "validation_failed", "/buy"],
    [{ sell: { ...USD, rate: "1" }, buy: EUR }, "validation_failed", "/sell/rate"],
    [{ sell: USD, buy: { ...EUR, rate: "1" } }, "validation_failed", "/buy/rate"],
    [{ sell: USD, buy: EUR, amount: "1" }, "validation_failed", "/amount"],
  ])("can't be %j: %s", (body, code, pointer) => expectRefused("exchanges", "", body, code, pointer));
});

describe("the id in a path", () => {
  it.each([
    ["holds/{id}/captures", ["deposit", "exchange", "status change"]],
    ["holds/{id}/releases", ["deposit", "exchange", "status change"]],
    ["transactions/{id}/reversals", []],
  ])(
    "of POST %s that is no id, of nothing, of another user, or of %j is 404, whatever the body",
    async (route, types) => {
      const noIds = ["", "x", "..", "__proto__", "tx_x", `tx_${"a".repeat(44)}`, `TX_${"a".repeat(43)}`];
      for (const of of [...noIds, "nothing", "hold of bob", ...types]) {
        for (const body of [{}, { unknown: 1 }]) {
          expect((await post(route, of, body)).body, of).toMatchObject({ status: 404, code: "not_found" });
        }
      }
    },
  );
});
