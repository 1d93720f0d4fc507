import { QueryCommand } from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Position, parsePosition, positionText } from "../ledger/position.ts";
import { dynamo } from "./clients.ts";
import { dynamoStore } from "./store.ts";

const TIME = "2026-11-23T09:30:00.000Z";

/** Of a wallet's decisions the first is in euros, all others are in dollars. */
const FIRST = marshall({
  userId: "alice",
  id: "tx_1",
  type: "deposit",
  currency: "EUR",
  exponent: 2n,
  amountMinor: 1n,
  actor: "owner",
  contentHash: "as accepted",
  createdAt: TIME,
  status: "posted",
  position: positionText({ decidedAt: TIME, sequence: 1 }),
  available: { EUR: 1n },
  hash: "of the decision",
});

beforeEach(() => {
  vi.stubEnv("TRANSACTIONS_TABLE", "transactions");
});

/** Answers queries as the index of a wallet with this many decisions does, and returns the limit of each. */
function walletOf(decisions: number): number[] {
  const limits: number[] = [];
  vi.spyOn(dynamo, "send").mockImplementation(async (command: unknown) => {
    if (!(command instanceof QueryCommand)) throw new Error("The history is read by queries");
    const { Limit = 0, ExpressionAttributeValues: values = {} } = command.input;
    limits.push(Limit);
    const newest = Math.min(parsePosition(values[":last"]?.S ?? "")?.sequence ?? decisions, decisions);
    const oldest = Math.max(newest - Limit + 1, 1);
    // A read that its limit ends has a key to go on from, even if there is nothing behind it.
    const isAtLimit = newest - oldest + 1 === Limit;
    return {
      $metadata: {},
      Items: newest >= 1 && oldest === 1 && values[":currency"]?.S === "EUR" ? [FIRST] : [],
      ...(isAtLimit && {
        LastEvaluatedKey: { position: { S: positionText({ decidedAt: TIME, sequence: oldest }) } },
      }),
    };
  });
  return limits;
}

function readHistory(currency: string, after?: Position) {
  return dynamoStore.readHistory("alice", { limit: 25, order: "newest first", after, currency });
}

describe("a filter on the history", () => {
  it.each([0, 1, 99, 100, 101, 1000, 1001, 10_000])(
    "that nothing of %i decisions passes ends with no cursor",
    async (decisions) => {
      walletOf(decisions);
      expect(await readHistory("JPY")).toEqual({ transactions: [], end: undefined });
    },
  );

  it("that matches only the oldest of 10,000 decisions finds it in one page", async () => {
    walletOf(10_000);
    const { transactions } = await readHistory("EUR");
    expect(transactions.map(({ id }) => id)).toEqual(["tx_1"]);
  });

  it("reads a long history in 13 reads of up to 1,000 items, and continues there with the next page", async () => {
    const limits = walletOf(15_000);
    const { transactions, end } = await readHistory("EUR");
    expect(limits).toEqual([100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]);
    expect([transactions.length, end?.sequence]).toEqual([0, 15_000 - 10_500 + 1]);

    const next = await readHistory("EUR", end);
    expect(next.transactions.map(({ id }) => id)).toEqual(["tx_1"]);
  });
});

describe("the open holds", () => {
  const readOpenHolds = (read: object) => {
    vi.spyOn(dynamo, "send").mockImplementation(async () => ({ $metadata: {}, ...read }));
    return dynamoStore.readOpenHolds("alice", { limit: 2 });
  };

  it("end with no cursor where the index ends", async () => {
    expect(await readOpenHolds({ Items: [FIRST, FIRST] })).toMatchObject({ transactions: [{}, {}], end: undefined });
  });

  it("have a cursor when there are more than a page, and when DynamoDB ends a read at 1 MB", async () => {
    const more = await readOpenHolds({ Items: [FIRST, FIRST, FIRST] });
    expect(more).toMatchObject({ transactions: [{}, {}], end: { sequence: 1 } });
    const large = await readOpenHolds({ Items: [FIRST], LastEvaluatedKey: { id: FIRST.id } });
    expect(large).toMatchObject({ transactions: [{}], end: { sequence: 1 } });
  });
});
