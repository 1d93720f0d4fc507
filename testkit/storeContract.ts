import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Command, CommandBase, CommandOf, CommandType } from "../lib/domain/command.ts";
import { fold } from "../lib/domain/decide.ts";
import { detailsHashOf } from "../lib/domain/hash.ts";
import { MINOR_UNITS_MAX } from "../lib/domain/money.ts";
import { emptyWallet, type State, type Wallet } from "../lib/domain/state.ts";
import { pendingTransaction as pending, type Transaction, type TransactionOf } from "../lib/domain/transaction.ts";
import { commitOf as commitOfEntries } from "../lib/ledger/commitBatch.ts";
import { storedMessage } from "../lib/ledger/message.ts";
import type { Commit, CommitResult, HistoryQuery, LedgerStore } from "../lib/ledger/ports.ts";

/** The newest transactions of a history. */
export const NEWEST: HistoryQuery = { limit: 100, order: "newest first" };
const DECIDED_AT = "2026-11-23T09:30:00.000Z";

/** An accepted deposit of alice's, with something changed. */
export function commandWith(change?: Partial<CommandOf<"deposit">>): CommandOf<"deposit">;
/** An accepted command of alice's: of 1.00 USD if it has an amount. */
export function commandWith<Type extends CommandType>(
  change: { readonly type: Type } & Partial<CommandOf<Type>> & OwnMembers<CommandOf<Type>>,
): CommandOf<Type>;
export function commandWith(change: { readonly type?: CommandType } = {}): object {
  const { type = "deposit" } = change;
  const hasNoAmount = type === "release" || type === "expiry";
  return {
    type,
    id: `tx_${randomUUID()}`,
    userId: "alice",
    actor: "owner",
    createdAt: DECIDED_AT,
    ...(type !== "status_change" && { currency: "USD", exponent: 2 }),
    ...(type !== "status_change" && !hasNoAmount && { amountMinor: 100n }),
    detailsHash: detailsHashOf(NO_DETAILS),
    ...change,
  };
}

/** The members that only this type of command has. */
type OwnMembers<C> = Omit<C, keyof CommandBase>;

const NO_DETAILS = { salt: "AAAAAAAAAAAAAAAAAAAAAA", reference: undefined, metadata: undefined };

/** An accepted transaction of a command, with the content hash that it has. */
export function transactionOf<C extends Command>(command: C): TransactionOf<C> {
  return pending(command, NO_DETAILS);
}

export function pendingTransaction(
  userId: string,
  type: "deposit" | "withdrawal",
  amountMinor: bigint,
  currency = "USD",
): TransactionOf<CommandOf<"deposit"> | CommandOf<"withdrawal">> {
  return transactionOf(commandWith({ userId, type, amountMinor, currency }));
}

function commitOf(
  userId: string,
  before: Wallet | undefined,
  transactions: readonly Transaction[],
  decidedAt = DECIDED_AT,
  referred: readonly Transaction[] = [],
): Commit {
  const start = stateOf(before ?? emptyWallet, referred);
  const entries = transactions.map((each) => ({ message: storedMessage(each, "request-1"), records: [] }));
  return { ...commitOfEntries(entries, before, start, fold(start, transactions, decidedAt)), userId };
}

/** The state of a wallet with the transactions that commands refer to. */
export function stateOf(wallet: Wallet = emptyWallet, referred: readonly Transaction[] = []): State {
  return { wallet, referred: new Map(referred.map((transaction) => [transaction.id, transaction])) };
}

/** Accepts transactions and commits what was decided on them. */
function writerOf(store: LedgerStore) {
  return {
    async accepted(...given: Parameters<typeof pendingTransaction>) {
      const transaction = pendingTransaction(...given);
      expect(await store.putPending(transaction)).toBeUndefined();
      return transaction;
    },
    commit(...given: Parameters<typeof commitOf>): Promise<CommitResult> {
      return store.commit([commitOf(...given)]);
    },
  };
}

/** What every {@link LedgerStore} must do, the one in memory too, which the unit tests rely on. */
export function describeStoreContract(store: LedgerStore): void {
  const { accepted, commit } = writerOf(store);

  describe("the store's contract", () => {
    test("keeps the first transaction with an id and returns it to the second", async () => {
      const first = await accepted("keeper", "deposit", 100n);
      const second = { ...first, amountMinor: 999n, contentHash: "other" };
      expect(await store.putPending(second)).toEqual(first);
      expect(await store.findTransaction("keeper", first.id)).toEqual(first);
    });

    test("writes a fold whole: the wallet and every transaction, to 36 digits", async () => {
      const most = MINOR_UNITS_MAX - 1n;
      const commands = [
        await accepted("whale", "deposit", most),
        await accepted("whale", "withdrawal", MINOR_UNITS_MAX),
        await accepted("whale", "deposit", 1n),
      ];
      expect(await commit("whale", undefined, commands)).toEqual({ kind: "committed" });
      const { state, decisions } = fold(stateOf(), commands, DECIDED_AT);
      const { wallet } = state;
      expect(wallet).toMatchObject({ sequence: 3, available: new Map([["USD", MINOR_UNITS_MAX]]), held: new Map() });
      expect(await store.readWallet("whale")).toEqual(wallet);
      const { transactions } = await store.readHistory("whale", NEWEST);
      expect(transactions.map(({ decision }) => decision)).toEqual(decisions.toReversed());
      expect(transactions.map(({ decision }) => decision.outcome.status)).toEqual(["posted", "rejected", "posted"]);
    });

    test("reports a conflict when the wallet has changed since it was read, or was read and does not exist", async () => {
      const first = await accepted("mover", "deposit", 100n);
      const second = await accepted("mover", "deposit", 100n);
      expect(await commit("mover", undefined, [first])).toEqual({ kind: "committed" });
      expect((await commit("mover", undefined, [second])).kind).toBe("conflict");
      expect((await commit("mover", { ...emptyWallet, sequence: 7 }, [second])).kind).toBe("conflict");
      expect(await store.readWallet("mover")).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
    });

    test("reports a conflict when the stored balance does not cover a debit, whatever balance was read", async () => {
      const deposit = await accepted("debtor", "deposit", 100n);
      await commit("debtor", undefined, [deposit]);
      const withdrawal = await accepted("debtor", "withdrawal", 500n);
      const asRead: Wallet = { ...emptyWallet, sequence: 1, available: new Map([["USD", 1000n]]) };
      expect((await commit("debtor", asRead, [withdrawal])).kind).toBe("conflict");
      expect(await store.readWallet("debtor")).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
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
      ["details hash", { detailsHash: "forged" }],
      ["actor", { actor: "admin" }],
      ["time", { createdAt: "2026-11-23T09:29:59.999Z" }],
      ["exponent", { exponent: 3 }],
      ["amount", { amountMinor: 777_777n }],
      ["type", { type: "withdrawal" }],
      ["currency", { currency: "EUR" }],
    ] as const)("never decides a message with another %s, before or after the decision", async (name, change) => {
      const userId = `forged-${name}`;
      const transaction = await accepted(userId, "deposit", 100n);
      const notAccepted = {
        kind: "precondition_failed",
        alreadyDecided: new Set(),
        notAccepted: new Map([[transaction.id, "content_mismatch"]]),
      };
      expect(await commit(userId, undefined, [{ ...transaction, ...change }])).toEqual(notAccepted);
      expect(await store.readWallet(userId)).toBeUndefined();

      expect(await commit(userId, undefined, [transaction])).toEqual({ kind: "committed" });
      const wallet = await store.readWallet(userId);
      expect(wallet).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
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
      const stale: Wallet = { ...emptyWallet, sequence: 7 };
      const both = [commitOf("one", undefined, [one]), commitOf("two", undefined, [two, three])];
      expect(await store.commit([commitOf("one", stale, [one]), ...both.slice(1)])).toMatchObject({ kind: "conflict" });
      expect(await store.commit([...both.slice(1), commitOf("one", undefined, [one, unknown])])).toEqual({
        kind: "precondition_failed",
        alreadyDecided: new Set(),
        notAccepted: new Map([[unknown.id, "unknown_transaction"]]),
      });
      expect(await store.readWallets(["one", "two"])).toEqual(new Map());

      expect(await store.commit(both)).toEqual({ kind: "committed" });
      const wallets = await store.readWallets(["two", "unknown", "one"]);
      expect([...wallets.keys()].sort()).toEqual(["one", "two"]);
      expect(wallets.get("one")).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
      expect(wallets.get("two")).toMatchObject({ sequence: 2, available: new Map([["USD", 150n]]) });
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
        const { transactions, end } = await store.readHistory("reader", { ...NEWEST, ...query });
        return [transactions.map(({ decision }) => decision.sequence), end?.sequence];
      };
      const behind = (sequence: number) => ({ decidedAt: DECIDED_AT, sequence });
      expect(await read({})).toEqual([[4, 3, 2, 1], undefined]);
      expect(await read({ limit: 4 })).toEqual([[4, 3, 2, 1], undefined]);
      expect(await read({ limit: 3 })).toEqual([[4, 3, 2], 2]);
      expect(await read({ limit: 3, after: behind(2) })).toEqual([[1], undefined]);
      expect(await read({ order: "oldest first", limit: 3 })).toEqual([[1, 2, 3], 3]);
      expect(await read({ order: "oldest first", after: behind(3) })).toEqual([[4], undefined]);
      expect(await read({ currency: "USD" })).toEqual([[4, 3, 1], undefined]);
      expect(await read({ currency: "USD", status: "posted", limit: 1 })).toEqual([[4], 4]);
      expect(await read({ status: "rejected" })).toEqual([[3], undefined]);
      expect(await read({ type: "withdrawal" })).toEqual([[3], undefined]);
    });

    test("reads a period: the start is included, the end is not", async () => {
      const times = ["2026-11-23T09:30:00.001Z", "2026-11-23T09:30:00.002Z", "2026-11-23T09:30:00.003Z"];
      for (const time of times) {
        const before = await store.readWallet("past");
        await commit("past", before, [await accepted("past", "deposit", 1n)], time);
      }
      const read = async (query: Partial<HistoryQuery>) => {
        const { transactions } = await store.readHistory("past", { ...NEWEST, order: "oldest first", ...query });
        return transactions.map(({ decision }) => decision.sequence);
      };
      expect(await read({ from: times[1] })).toEqual([2, 3]);
      expect(await read({ to: times[1] })).toEqual([1]);
      expect(await read({ from: times[1], to: times[2] })).toEqual([2]);
      expect(await read({ from: times[2], to: times[0] })).toEqual([]);
      // A cursor of another period does not widen this one.
      const [first, last] = ["2020-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z"];
      const period = { from: times[1], to: times[2] };
      expect(await read({ ...period, after: { decidedAt: first, sequence: 1 } })).toEqual([2]);
      expect(await read({ ...period, order: "newest first", after: { decidedAt: last, sequence: 9 } })).toEqual([2]);
    });
  });
}
