import { beforeEach, expect, it, vi } from "vitest";
import { emptyWallet } from "../lib/domain/state.ts";
import { balancesSchema, problemSchema } from "../lib/http/schemas.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { decideAt, timeAt } from "../testkit/histories.ts";
import { handler } from "./balances.ts";

const memory = await vi.hoisted(async () => (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts());
vi.mock(import("../lib/aws/adapters.ts"), () => ({ ports: memory }));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async () => ({ subject: "alice", scopes: new Set<string>() }),
}));

const ZERO = { amount: "0.00", held: "0.00", available: "0.00" };
const NO_YEN = { currency: "JPY", amount: "0", held: "0", available: "0" };

beforeEach(() => {
  memory.wallets.clear();
  memory.transactions.clear();
});

function get(query?: Record<string, string>) {
  return handler(httpEvent({ pathParameters: { userId: "alice" }, query }), lambdaContext);
}

async function read(query?: Record<string, string>) {
  const { statusCode, body = "" } = await get(query);
  expect(statusCode).toBe(200);
  return balancesSchema.parse(JSON.parse(body));
}

it("before the first decision the balances are zero, with sequence 0 and without a hash", async () => {
  const balances = [{ currency: "EUR", ...ZERO }, NO_YEN, { currency: "USD", ...ZERO }];
  expect(await read()).toEqual({ userId: "alice", status: "active", sequence: 0, hash: null, balances });
});

it("a balance is what is available and what is held", async () => {
  decideAt(memory, [0, "+1200 USD"]);
  const { hash = "", ...wallet } = memory.wallets.get("alice") ?? emptyWallet;
  memory.wallets.set("alice", { ...wallet, hash, held: new Map([["USD", 34n]]) });
  expect(await read()).toMatchObject({
    sequence: 1,
    hash,
    balances: expect.arrayContaining([{ currency: "USD", amount: "12.34", held: "0.34", available: "12.00" }]),
  });
});

it("the balances of a moment are provisional until a later decision or 30 s make them final", async () => {
  memory.clock.advance(2000);
  const [transaction] = decideAt(memory, [1000, "+1234 USD"]);
  const balances = [{ currency: "EUR", ...ZERO }, NO_YEN, { currency: "USD", ...ZERO }];
  expect(await read({ at: timeAt(999) })).toEqual({
    userId: "alice",
    status: "active",
    sequence: 0,
    hash: null,
    balances,
  });

  const { hash } = transaction?.decision ?? {};
  expect(await read({ at: timeAt(1000) })).toMatchObject({ sequence: 1, hash, provisional: true });
  memory.clock.advance(30_000);
  expect(await read({ at: timeAt(1000) })).not.toHaveProperty("provisional");
});

it.each(["2027-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "tomorrow"])("the moment %s is refused", async (at) => {
  const { statusCode, body = "" } = await get({ at });
  expect(statusCode).toBe(422);
  expect(problemSchema.parse(JSON.parse(body))).toMatchObject({
    code: "validation_failed",
    errors: [{ parameter: "at" }],
  });
});
