import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Command } from "../lib/domain/command.ts";
import { MINOR_UNITS_MAX } from "../lib/domain/money.ts";
import type { Transaction } from "../lib/domain/transaction.ts";
import { emptyWallet, fold, type Wallet } from "../lib/domain/wallet.ts";
import { messageOf } from "../lib/ledger/message.ts";
import type { Commit, CommitResult, HistoryQuery, LedgerStore } from "../lib/ledger/ports.ts";

/** The newest transactions of a history. */
export const NEWEST: HistoryQuery = { limit: 100, beforeSequence: undefined, currency: undefined, status: undefined };
export const DECIDED_AT = new Date("2026-11-23T09:30:00.000Z");

export function pendingTransaction(
  userId: string,
  type: Command["type"],
  amountMinor: bigint,
  currency = "USD",
): Transaction {
  return {
    id: `tx_${randomUUID()}`,
    userId,
    type,
    currency,
    exponent: 2,
    amountMinor,
    reference: undefined,
    metadata: undefined,
    fingerprint: "as accepted",
    createdAt: DECIDED_AT.toISOString(),
    decision: undefined,
  };
}

function commitOf(userId: string, before: Wallet | undefined, transactions: readonly Transaction[]): Commit {
  const { wallet, requiredMinor, decisions } = fold(before ?? emptyWallet, transactions);
  const decided = decisions.flatMap((decision, index) => {
    const transaction = transactions[index];
    return transaction ? [{ message: messageOf(transaction, "request-1"), decision }] : [];
  });
  return { userId, before, wallet, requiredMinor, decided, decidedAt: DECIDED_AT };
}

/** Accepts transactions and commits what was decided on them. */
export function writerOf(store: LedgerStore) {
  return {
    async accepted(...given: Parameters<typeof pendingTransaction>): Promise<Transaction> {
      const transaction = pendingTransaction(...given);
      expect(await store.putPending(transaction)).toBeUndefined();
      return transaction;
    },
    commit(userId: string, before: Wallet | undefined, transactions: readonly Transaction[]): Promise<CommitResult> {
      return store.commit([commitOf(userId, before, transactions)]);
    },
  };
}

/** What every {@link LedgerStore} must do, the one in memory too, which the unit tests rely on. */
export function describeStoreContract(store: LedgerStore): void {
  const { accepted, commit } = writerOf(store);

  describe("the store's contract", () => {
    test("keeps the first transaction with an id and returns it to the second", async () => {
      const first = await accepted("keeper", "deposit", 100n);
      const second = { ...first, amountMinor: 999n, fingerprint: "other" };
      expect(await store.putPending(second)).toEqual(first);
      expect(await store.findTransaction("keeper", first.id)).toEqual(first);
    });

    test("writes a fold whole: the wallet and every transaction, to 38 digits", async () => {
      const most = MINOR_UNITS_MAX - 1n;
      const commands = [
        await accepted("whale", "deposit", most),
        await accepted("whale", "withdrawal", MINOR_UNITS_MAX),
        await accepted("whale", "deposit", 1n),
      ];
      expect(await commit("whale", undefined, commands)).toEqual({ kind: "committed" });
      expect(await store.readWallet("whale")).toEqual({ sequence: 3, balances: new Map([["USD", MINOR_UNITS_MAX]]) });
      const { transactions } = await store.readHistory("whale", NEWEST);
      expect(transactions.map(({ decision }) => decision)).toEqual([
        {
          sequence: 3,
          balanceAfterMinor: MINOR_UNITS_MAX,
          outcome: { status: "posted", postedAt: DECIDED_AT.toISOString() },
        },
        { sequence: 2, balanceAfterMinor: most, outcome: { status: "rejected", code: "insufficient_funds" } },
        { sequence: 1, balanceAfterMinor: most, outcome: { status: "posted", postedAt: DECIDED_AT.toISOString() } },
      ]);
    });

    test("reports a conflict when the wallet has changed since it was read, or was read and does not exist", async () => {
      const first = await accepted("mover", "deposit", 100n);
      const second = await accepted("mover", "deposit", 100n);
      expect(await commit("mover", undefined, [first])).toEqual({ kind: "committed" });
      expect((await commit("mover", undefined, [second])).kind).toBe("conflict");
      expect((await commit("mover", { sequence: 7, balances: new Map() }, [second])).kind).toBe("conflict");
      expect(await store.readWallet("mover")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
    });

    test("reports a conflict when the stored balance does not cover a debit, whatever balance was read", async () => {
      const deposit = await accepted("debtor", "deposit", 100n);
      await commit("debtor", undefined, [deposit]);
      const withdrawal = await accepted("debtor", "withdrawal", 500n);
      const asRead: Wallet = { sequence: 1, balances: new Map([["USD", 1000n]]) };
      expect((await commit("debtor", asRead, [withdrawal])).kind).toBe("conflict");
      expect(await store.readWallet("debtor")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
    });

    test("names the transactions that are already decided and those that were not accepted", async () => {
      const done = await accepted("mixed", "deposit", 100n);
      await commit("mixed", undefined, [done]);
      const before = await store.readWallet("mixed");
      const candidate = await accepted("mixed", "deposit", 1n);
      const unknown = pendingTransaction("mixed", "deposit", 1n);
      expect(await commit("mixed", before, [done, candidate, unknown])).toEqual({
        kind: "precondition_failed",
        alreadyDecided: new Set([done.id]),
        notAccepted: new Map([[unknown.id, "unknown_transaction"]]),
      });
      expect(await store.readWallet("mixed")).toEqual(before);
    });

    test.each([
      ["fingerprint", { fingerprint: "forged" }],
      ["amount", { amountMinor: 777_777n }],
      ["type", { type: "withdrawal" }],
      ["currency", { currency: "EUR" }],
    ] as const)("never decides a message with another %s, before or after the decision", async (name, change) => {
      const userId = `forged-${name}`;
      // 38 digits that end in zeros: the condition compares numbers, however they are written.
      const transaction = await accepted(userId, "deposit", 10n ** 37n);
      const notAccepted = {
        kind: "precondition_failed",
        alreadyDecided: new Set(),
        notAccepted: new Map([[transaction.id, "content_mismatch"]]),
      };
      expect(await commit(userId, undefined, [{ ...transaction, ...change }])).toEqual(notAccepted);
      expect(await store.readWallet(userId)).toBeUndefined();

      expect(await commit(userId, undefined, [transaction])).toEqual({ kind: "committed" });
      const wallet = { sequence: 1, balances: new Map([["USD", 10n ** 37n]]) };
      expect(await commit(userId, wallet, [{ ...transaction, ...change }])).toEqual(notAccepted);
      expect(await commit(userId, wallet, [transaction])).toMatchObject({ alreadyDecided: new Set([transaction.id]) });
      expect(await store.readWallet(userId)).toEqual(wallet);
    });

    test("writes the folds of several users together, or none of them", async () => {
      const [one, two, three] = [
        await accepted("one", "deposit", 100n),
        await accepted("two", "deposit", 200n),
        await accepted("two", "withdrawal", 50n),
      ];
      const unknown = pendingTransaction("one", "deposit", 1n);
      const stale: Wallet = { sequence: 7, balances: new Map() };
      const both = [commitOf("one", undefined, [one]), commitOf("two", undefined, [two, three])];
      expect(await store.commit([commitOf("one", stale, [one]), ...both.slice(1)])).toMatchObject({ kind: "conflict" });
      expect(await store.commit([...both.slice(1), commitOf("one", undefined, [one, unknown])])).toEqual({
        kind: "precondition_failed",
        alreadyDecided: new Set(),
        notAccepted: new Map([[unknown.id, "unknown_transaction"]]),
      });
      expect(await store.readWallets(["one", "two"])).toEqual(new Map());

      expect(await store.commit(both)).toEqual({ kind: "committed" });
      expect(await store.readWallets(["two", "unknown", "one"])).toEqual(
        new Map([
          ["one", { sequence: 1, balances: new Map([["USD", 100n]]) }],
          ["two", { sequence: 2, balances: new Map([["USD", 150n]]) }],
        ]),
      );
    });

    test("pages a history, newest first, by currency and by status, without the pending transactions", async () => {
      const transactions = [
        await accepted("reader", "deposit", 5n, "USD"),
        await accepted("reader", "deposit", 5n, "EUR"),
        await accepted("reader", "withdrawal", 9n, "USD"),
        await accepted("reader", "deposit", 1n, "USD"),
      ];
      await commit("reader", undefined, transactions);
      await accepted("reader", "deposit", 1n);
      const read = async (query: Partial<HistoryQuery>) => {
        const page = await store.readHistory("reader", { ...NEWEST, ...query });
        return [page.transactions.map(({ decision }) => decision?.sequence), page.nextBeforeSequence];
      };
      expect(await read({})).toEqual([[4, 3, 2, 1], undefined]);
      expect(await read({ limit: 4 })).toEqual([[4, 3, 2, 1], undefined]);
      expect(await read({ limit: 3 })).toEqual([[4, 3, 2], 2]);
      expect(await read({ limit: 3, beforeSequence: 2 })).toEqual([[1], undefined]);
      expect(await read({ currency: "USD" })).toEqual([[4, 3, 1], undefined]);
      expect(await read({ currency: "USD", status: "posted", limit: 1 })).toEqual([[4], 4]);
      expect(await read({ status: "rejected" })).toEqual([[3], undefined]);
    });
  });
}
