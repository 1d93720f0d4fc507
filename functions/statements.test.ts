import { beforeAll, describe, expect, it, vi } from "vitest";
import { problemSchema, statementSchema } from "../lib/http/schemas.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { decideAt, timeAt } from "../testkit/histories.ts";
import { handler } from "./statements.ts";

const memory = await vi.hoisted(async () => (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts());
vi.mock(import("../lib/aws/adapters.ts"), () => ({ ports: memory }));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async () => ({ subject: "alice", scopes: new Set<string>() }),
}));

beforeAll(() => {
  decideAt(memory, [1000, "+500 USD"], [2000, "+9 EUR"], [3000, "-900 USD"], [4000, "-2 USD"]);
  memory.clock.advance(60_000);
});

function get(query: Record<string, string>, accept = "application/json") {
  return handler(httpEvent({ pathParameters: { userId: "alice" }, headers: { accept }, query }), lambdaContext);
}

async function read(query: Record<string, string>) {
  const { statusCode, body = "" } = await get(query);
  expect(statusCode).toBe(200);
  return statementSchema.parse(JSON.parse(body));
}

async function problemOf(query: Record<string, string>) {
  const { body = "" } = await get(query);
  return problemSchema.parse(JSON.parse(body));
}

describe("a statement", () => {
  it("is of all time by default, ends now, and has amounts with the decimals of the currency", async () => {
    const [first, , , last] = [...memory.transactions.values()];
    const line = { reference: null, credit: null, debit: null };
    expect(await read({ currency: "USD" })).toEqual({
      userId: "alice",
      currency: "USD",
      from: null,
      to: timeAt(60_000),
      provisional: true,
      opening: "0.00",
      credits: "5.00",
      debits: "0.02",
      closing: "4.98",
      lines: [
        {
          ...line,
          id: first?.id,
          sequence: 1,
          type: "deposit",
          decidedAt: timeAt(1000),
          credit: "5.00",
          balance: "5.00",
        },
        {
          ...line,
          id: last?.id,
          sequence: 4,
          type: "withdrawal",
          decidedAt: timeAt(4000),
          debit: "0.02",
          balance: "4.98",
        },
      ],
      nextCursor: null,
    });
  });

  it("is continued by its cursor", async () => {
    const query = { currency: "USD", from: timeAt(1000), to: timeAt(4001), limit: "2" };
    const { nextCursor, ...first } = await read(query);
    expect(first).toMatchObject({ opening: "0.00", closing: "5.00" });
    const next = await read({ ...query, cursor: nextCursor ?? "" });
    expect(next).toMatchObject({ opening: "5.00", closing: "4.98", nextCursor: null });
  });

  it("of a disabled currency is answered, with zeros", async () => {
    expect(await read({ currency: "XOF" })).toMatchObject({ opening: "0", credits: "0", debits: "0", closing: "0" });
  });

  it("is provisional while its end is not 30 s old", async () => {
    expect(await read({ currency: "USD", to: timeAt(30_001) })).not.toHaveProperty("provisional");
    expect(await read({ currency: "USD", to: timeAt(30_002) })).toHaveProperty("provisional", true);
  });

  it.each([
    ["the future", { to: timeAt(60_001) }, "validation_failed", "to"],
    ["a period that ends before it starts", { from: timeAt(2), to: timeAt(1) }, "validation_failed", "to"],
    ["a period that starts after now", { from: timeAt(60_001) }, "validation_failed", "to"],
    ["an unknown currency", { currency: "DOGE" }, "unknown_currency", "currency"],
  ])("of %s is refused", async (_what, change, code, parameter) => {
    expect(await problemOf({ currency: "USD", ...change })).toMatchObject({
      status: 422,
      code,
      errors: [{ parameter }],
    });
  });

  it("behind a cursor of another period is refused", async () => {
    const { nextCursor } = await read({ currency: "USD", limit: "1" });
    const query = { currency: "USD", from: timeAt(2000), cursor: nextCursor ?? "" };
    expect(await problemOf(query)).toMatchObject({ status: 400, code: "invalid_cursor" });
  });
});

describe("a statement as CSV", () => {
  it("has the lines of the page, and a link to the next page of the same period", async () => {
    const query = { currency: "USD", from: timeAt(1000), limit: "2" };
    const { headers, body } = await get(query, "text/csv");
    const [first] = memory.transactions.values();
    expect(body).toBe(
      "decidedAt,sequence,id,type,reference,credit,debit,balance\r\n" +
        `${timeAt(1000)},1,${first?.id},deposit,,5.00,,5.00\r\n`,
    );
    const [, next = ""] = /^<(\?[^>]+)>; rel="next"$/.exec(String(headers?.link)) ?? [];
    const nextQuery = Object.fromEntries(new URLSearchParams(next));
    expect(nextQuery).toEqual({ ...query, to: timeAt(60_000), cursor: expect.any(String) });

    const last = await get(nextQuery, "text/csv");
    expect(last.headers).not.toHaveProperty("link");
    expect(last.body).toMatch(/^[^\r]+\r\n[^\r]+,4,tx_[^,]+,withdrawal,,,0\.02,4\.98\r\n$/);
  });
});
