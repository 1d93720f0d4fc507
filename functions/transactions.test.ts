import { expect, it, vi } from "vitest";
import { historySchema, problemSchema } from "../lib/http/schemas.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { decideAt, timeAt } from "../testkit/histories.ts";
import { handler } from "./transactions.ts";

const memory = await vi.hoisted(async () => (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts());
vi.mock(import("../lib/aws/adapters.ts"), () => ({ ports: memory }));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async () => ({ subject: "alice", scopes: new Set<string>() }),
}));

const get = (query: Record<string, string>) =>
  handler(httpEvent({ pathParameters: { userId: "alice" }, query }), lambdaContext);
const read = (currency: string) => get({ currency });

it.each(["USD", "XOF"])("filters by %s, also if it is disabled", async (currency) => {
  expect(await read(currency)).toMatchObject({ statusCode: 200, body: '{"data":[],"nextCursor":null}' });
});

it.each(["XXX", "usd", "constructor"])("refuses the filter %s, which is not a currency", async (currency) => {
  const { statusCode, body } = await read(currency);
  expect(statusCode).toBe(422);
  expect(problemSchema.parse(JSON.parse(body ?? ""))).toMatchObject({
    code: "unknown_currency",
    detail: "The currency is unknown",
    errors: [{ parameter: "currency", detail: "must be the code of a known currency" }],
  });
});

it.each([
  [{}, [4, 3, 2, 1]],
  [{ from: timeAt(2000) }, [4, 3, 2]],
  [{ to: timeAt(3000) }, [2, 1]],
  [{ from: timeAt(2000), to: timeAt(3000) }, [2]],
  [{ type: "deposit" }, [3, 2, 1]],
  [{ type: "withdrawal", currency: "USD" }, [4]],
  [{ type: "deposit", from: timeAt(2000), status: "posted" }, [3, 2]],
])("of %j are the decisions %j, newest first", async (query, sequences) => {
  memory.transactions.clear();
  memory.wallets.clear();
  decideAt(memory, [1000, "+5 USD"], [2000, "+9 EUR"], [3000, "+9 USD"], [4000, "-99 USD"]);
  const { body = "" } = await get(query);
  expect(historySchema.parse(JSON.parse(body)).data.map(({ sequence }) => sequence)).toEqual(sequences);
});

it("a period that ends before it starts is refused", async () => {
  const { body = "" } = await get({ from: timeAt(2), to: timeAt(1) });
  expect(problemSchema.parse(JSON.parse(body))).toMatchObject({ status: 422, errors: [{ parameter: "to" }] });
});
