import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { moveAll, movementsInMemory, usd } from "../../testkit/movements.ts";
import { COMMAND_TYPES } from "../domain/command.ts";
import { type DecidedTransaction, HOLD_STATUSES, isDecided } from "../domain/transaction.ts";
import { eventOf } from "./cloudEvent.ts";
import { eventSchema } from "./schemas.ts";
import { transactionViews } from "./views.ts";

const eventFor = (transaction: DecidedTransaction) => eventOf(transaction, "antler-test");
const bodyOf = (transaction: DecidedTransaction) => eventSchema.parse(JSON.parse(eventFor(transaction).body));

/** A ledger in which every movement was made, with the event of each decision as it was right after its write. */
async function everything() {
  const ports = inMemoryPorts();
  const first = new Map<string, string>();
  const transactions = () => [...ports.transactions.values()].filter(isDecided);
  const observer = {
    ...ports.observer,
    committed(commit: Parameters<typeof ports.observer.committed>[0]) {
      const ids = new Set(commit.decided.map(({ decision }) => `${commit.userId}/${decision.sequence}`));
      for (const event of transactions().map(eventFor)) if (ids.has(event.id)) first.set(event.id, event.body);
    },
  };
  Object.assign(ports, { observer });
  await moveAll(movementsInMemory(ports));
  return { ports, first, transactions: transactions() };
}

describe("the event of a decision", () => {
  it("is a CloudEvent with the transaction as its owner sees it", async () => {
    const { move } = movementsInMemory(inMemoryPorts());
    const deposit = await move("alice", { type: "deposit", ...usd("12.34") });
    const { id, userId, attributes, body } = eventFor(deposit);
    expect({ id, userId, attributes }).toEqual({
      id: "alice/1",
      userId: "alice",
      attributes: { type: "deposit", status: "posted", currency: "USD" },
    });
    expect(JSON.parse(body)).toEqual({
      specversion: "1.0",
      id: "alice/1",
      source: "antler-test",
      type: "antler.transaction.posted",
      subject: deposit.id,
      time: deposit.decision.decidedAt,
      datacontenttype: "application/json",
      data: (await transactionViews([deposit], inMemoryPorts().store))[0],
    });
  });

  it("of a rejected transaction has its own type, and that of a status change no currency", async () => {
    const { move } = movementsInMemory(inMemoryPorts());
    const rejected = await move("alice", { type: "withdrawal", ...usd("1.00") });
    expect(bodyOf(rejected)).toMatchObject({
      type: "antler.transaction.rejected",
      data: { status: "rejected", rejection: { code: "insufficient_funds" } },
    });
    const frozen = await move("alice", { type: "status_change", newStatus: "frozen" });
    expect(eventFor(frozen).attributes).toEqual({ type: "status_change", status: "posted", currency: undefined });
  });

  it("is valid and unique for every movement", async () => {
    const { transactions } = await everything();
    expect(new Set(transactions.map(({ type }) => type)).size).toBe(COMMAND_TYPES.length - 1);
    for (const transaction of transactions) bodyOf(transaction);
    expect(new Set(transactions.map((transaction) => eventFor(transaction).id)).size).toBe(transactions.length);
  });

  it("is the same whenever it is published: captures, reversals and credits that come later change nothing", async () => {
    const { first, transactions, ports } = await everything();
    expect(first.size).toBe(transactions.length);
    for (const transaction of transactions) {
      expect(eventFor(transaction).body, transaction.type).toBe(first.get(eventFor(transaction).id));
    }
    const now = await transactionViews(transactions, ports.store);
    const changed = now.filter((view, index) => {
      const transaction = transactions[index];
      return transaction && JSON.stringify(view) !== JSON.stringify(bodyOf(transaction).data);
    });
    // Those that later movements changed, so that the test can fail.
    expect(changed.length).toBeGreaterThan(8);
    const later = fc.record({
      remainingMinor: fc.bigInt({ min: 0n, max: 10n ** 36n }),
      holdStatus: fc.constantFrom(undefined, ...HOLD_STATUSES),
    });
    fc.assert(
      fc.property(fc.constantFrom(...transactions), later, (transaction, remainder) => {
        expect(eventFor({ ...transaction, remainder }).body).toBe(eventFor(transaction).body);
      }),
    );
  });

  it("has no character that SNS refuses, and keeps what the client wrote", async () => {
    const { move } = movementsInMemory(inMemoryPorts());
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom("\uFFFE", "\uFFFF", "\u0000", "\u{1FFFE}", "\\"), fc.string({ unit: "binary" })),
    });
    await fc.assert(
      fc.asyncProperty(text, async (note) => {
        const metadata = { note: note.toWellFormed() };
        const deposit = await move("alice", { type: "deposit", ...usd("1.00") }, { metadata });
        expect(eventFor(deposit).body).toMatch(/^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u);
        expect(bodyOf(deposit).data.metadata).toEqual(metadata);
      }),
    );
  });
});
