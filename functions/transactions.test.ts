import { expect, it, vi } from "vitest";
import { problemSchema } from "../lib/http/schemas.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { handler } from "./transactions.ts";

vi.mock(import("../lib/aws/adapters.ts"), async () => ({
  ports: (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts(),
}));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async () => ({ subject: "alice", scopes: new Set<string>() }),
}));

const read = (currency: string) =>
  handler(httpEvent({ pathParameters: { userId: "alice" }, query: { currency } }), lambdaContext);

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
