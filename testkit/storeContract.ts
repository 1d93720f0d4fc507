import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Command, type CommandBase, type CommandOf, type CommandType, refersToOf } from "../lib/domain/command.ts";
import { fold } from "../lib/domain/decide.ts";
import { detailsHashOf } from "../lib/domain/hash.ts";
import { MINOR_UNITS_MAX } from "../lib/domain/money.ts";
import { emptyWallet, type State, type Wallet } from "../lib/domain/state.ts";
import {
  commandOf,
  pendingTransaction as pending,
  type Transaction,
  type TransactionOf,
} from "../lib/domain/transaction.ts";
import { commitOf as commitOfEntries } from "../lib/ledger/commitBatch.ts";
import { receivedCommand } from "../lib/ledger/message.ts";
import type { Commit, CommitResult, Decided, DueIndex, HistoryQuery, LedgerStore } from "../lib/ledger/ports.ts";
import type { Position } from "../lib/ledger/position.ts";

/** The newest transactions of a history. */
export const NEWEST: HistoryQuery = { limit: 100, order: "newest first" };
const EXPIRES_AT = "2026-11-30T09:30:00.000Z";
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
  const entries = transactions.map((each) => ({ ...receivedCommand(commandOf(each), "request-1"), records: [] }));
  return { ...commitOfEntries(entries, before, start, fold(start, transactions, decidedAt)), userId };
}

/** The state of a wallet with the transactions that commands refer to. */
export function stateOf(wallet: Wallet = emptyWallet, referred: readonly Transaction[] = []): State {
  return { wallet, referred: new Map(referred.map((transaction) => [transaction.id, transaction])) };
}

/** Accepts transactions and commits what was decided on them. */
function writerOf(store: LedgerStore) {
  /** Accepts commands of one user and decides them on what is stored now. */
  async function prepare(...commands: readonly Command[]): Promise<Commit> {
    const transactions = commands.map((command) => transactionOf(command));
    for (const transaction of transactions) await store.putPending(transaction);
    const userId = commands[0]?.userId ?? "";
    const ids = new Set(commands.flatMap((command) => refersToOf(command) ?? []));
    const referred = await store.findTransactions([...ids].map((id) => ({ userId, id })));
    return commitOf(userId, await store.readWallet(userId), transactions, DECIDED_AT, referred);
  }

  return {
    async accepted(...given: Parameters<typeof pendingTransaction>) {
      const transaction = pendingTransaction(...given);
      expect(await store.putPending(transaction)).toBeUndefined();
      return transaction;
    },
    prepare,
    decide: async (...commands: readonly Command[]) => store.commit([await prepare(...commands)]),
    commit(...given: Parameters<typeof commitOf>): Promise<CommitResult> {
      return store.commit([commitOf(...given)]);
    },
  };
}

/** What every {@link LedgerStore} must do, the one in memory too, which the unit tests rely on. */
export function describeStoreContract(store: LedgerStore, due: DueIndex): void {
  const { accepted, prepare, decide, commit } = writerOf(store);
  const stored = ({ userId, id }: Command) => store.findTransaction(userId, id);

  describe("the store's contract", () => {
    test("keeps the first transaction with an id and returns it to the second", async () => {
      const first = await accepted("keeper", "deposit", 100n);
      const second = { ...first, amountMinor: 999n, contentHash: "other" };
      expect(await store.putPending(second)).toEqual(first);
      expect(await store.findTransaction("keeper", first.id)).toEqual(first);
    });

    test("keeps each transaction of many whose id is new, and returns those that have the other ids", async () => {
      const taken = await accepted("many", "deposit", 100n);
      const details = { ...NO_DETAILS, reference: "order 1", metadata: { "it's": '"quoted"', empty: "" } };
      const added = [
        ...Array.from({ length: 60 }, () => pendingTransaction("many", "withdrawal", 200n)),
        pending(commandWith({ userId: "many's", detailsHash: detailsHashOf(details) }), details),
        transactionOf(
          commandWith({ userId: "many", type: "hold", amountMinor: MINOR_UNITS_MAX, expiresAt: EXPIRES_AT }),
        ),
        transactionOf(commandWith({ userId: "many", type: "capture", refersTo: taken.id, final: true })),
      ];
      const second = { ...taken, amountMinor: 999n, contentHash: "other" };
      const results = await store.putAllPending([...added.slice(0, 30), second, ...added.slice(30)]);
      expect(results.get(taken.id)).toEqual(taken);
      // After a call whose answer was lost, its repetition finds what it has put.
      for (const each of added) expect([undefined, each]).toContainEqual(results.get(each.id));
      const found = await store.findTransactions([taken, ...added]);
      expect(new Map(found.map((each) => [each.id, each]))).toEqual(
        new Map([taken, ...added].map((each) => [each.id, each])),
      );
    });

    test("puts none of no transactions", async () => {
      expect(await store.putAllPending([])).toEqual(new Map());
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

    test("finds transactions of several users, pending or decided, and leaves out those that do not exist", async () => {
      const one = await accepted("finder", "deposit", 100n);
      const other = await accepted("finder-2", "deposit", 100n);
      await commit("finder-2", undefined, [other]);
      const unknown = Array.from({ length: 120 }, () => ({ userId: "finder", id: `tx_${randomUUID()}` }));
      // One user's id is not another's.
      const keys = [...unknown, { userId: "finder", id: other.id }, other, one];
      const found = await store.findTransactions(keys);
      expect(found.toSorted((a, b) => (a.userId < b.userId ? -1 : 1))).toEqual([one, await stored(other)]);
      expect(await store.findTransactions([])).toEqual([]);
    });

    describe("of a decision that emits a credit", () => {
      const transferOf = (userId: string) => commandWith({ type: "transfer", userId, to: `${userId}-2` });
      const emittedOf = ({ decided }: Commit) => decided[0]?.emitted ?? commandWith();

      test("puts the credit as pending in the same write, due a minute after the decision until it is decided", async () => {
        await decide(commandWith({ userId: "payer" }));
        const write = await prepare(transferOf("payer"));
        const credit = emittedOf(write);
        expect(await store.commit([write])).toEqual({ kind: "committed" });
        expect(await stored(credit)).toEqual(pending(credit));
        expect(await isDueBefore(credit, "2026-11-23T09:31:00.000Z")).toBe(false);
        expect(await isDueBefore(credit, "2026-11-23T09:31:00.001Z")).toBe(true);

        expect(await commit("payer-2", undefined, [pending(credit)])).toEqual({ kind: "committed" });
        expect(await store.readWallet("payer-2")).toMatchObject({ available: new Map([["USD", 100n]]) });
        expect(await isDueBefore(credit, "9999")).toBe(false);
      });

      test.each([
        ["the wallet is not as read", "conflict", (write: Commit) => ({ ...write, before: undefined })],
        [
          "the balance does not cover the debit",
          "conflict",
          (write: Commit) => ({ ...write, requiredAvailableMinor: new Map([["USD", 101n]]) }),
        ],
        [
          "a transaction beside it was not accepted",
          "precondition_failed",
          (write: Commit) => ({ ...write, decided: write.decided.flatMap((each) => [each, notAccepted(each)]) }),
        ],
      ])("puts nothing if %s", async (what, kind, change) => {
        const userId = `broke ${what}`;
        await decide(commandWith({ userId }));
        const write = await prepare(transferOf(userId));
        expect(await store.commit([change(write)])).toMatchObject({ kind });
        expect(await stored(emittedOf(write))).toBeUndefined();
        expect(await store.readWallet(userId)).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
      });

      test("reports a conflict and writes nothing if the credit's id is taken", async () => {
        await decide(commandWith({ userId: "robbed" }));
        const write = await prepare(transferOf("robbed"));
        const credit = emittedOf(write);
        const taken = transactionOf(commandWith({ userId: credit.userId, id: credit.id, amountMinor: 1n }));
        await store.putPending(taken);
        expect(await store.commit([write])).toMatchObject({ kind: "conflict" });
        expect(await stored(credit)).toEqual(taken);
        expect(await store.readWallet("robbed")).toMatchObject({ sequence: 1 });
      });

      test("puts no second credit for a decided transaction", async () => {
        await decide(commandWith({ userId: "twice" }));
        const transfer = transferOf("twice");
        const write = await prepare(transfer);
        await store.commit([write]);
        await commit("twice-2", undefined, [pending(emittedOf(write))]);
        expect(await store.commit([await prepare(transfer)])).toMatchObject({ alreadyDecided: new Set([transfer.id]) });
        expect(await stored(emittedOf(write))).toMatchObject({ decision: { outcome: { status: "posted" } } });
      });

      function notAccepted(each: Decided): Decided {
        const transaction = pendingTransaction(each.command.userId, "deposit", 1n);
        return { ...each, ...receivedCommand(commandOf(transaction), "request-1"), emitted: undefined };
      }
    });

    describe("of a transaction that others refer to", () => {
      const holdOf = (userId: string) => commandWith({ type: "hold", userId, expiresAt: EXPIRES_AT });
      const capture = ({ userId, id }: Command, amountMinor: bigint | undefined, final: boolean) =>
        commandWith({ type: "capture", userId, refersTo: id, amountMinor, final });
      const reversal = ({ userId, id }: Command, amountMinor: bigint) =>
        commandWith({ type: "reversal", userId, refersTo: id, amountMinor });
      const fundsOf = (userId: string) => commandWith({ userId, amountMinor: 1000n });

      test("writes what all decisions of a write leave of it, decided before or in the same write", async () => {
        const [funds, first, second] = [fundsOf("holder"), holdOf("holder"), holdOf("holder")];
        await decide(funds, first);
        await decide(capture(first, 10n, false), second, capture(first, 20n, false), capture(second, 40n, false));
        expect((await stored(first))?.remainder).toEqual({ remainingMinor: 70n, holdStatus: "open" });
        expect((await stored(second))?.remainder).toEqual({ remainingMinor: 60n, holdStatus: "open" });
        const wallet = await store.readWallet("holder");
        expect(wallet).toMatchObject({ available: new Map([["USD", 800n]]), held: new Map([["USD", 130n]]) });

        await decide(
          capture(first, undefined, true),
          commandWith({ type: "release", userId: "holder", refersTo: second.id }),
        );
        expect((await stored(first))?.remainder).toEqual({ remainingMinor: 0n, holdStatus: "captured" });
        expect((await stored(second))?.remainder).toEqual({ remainingMinor: 0n, holdStatus: "released" });
        expect(await store.readWallet("holder")).toMatchObject({
          available: new Map([["USD", 860n]]),
          held: new Map(),
        });
      });

      test.each<[string, (hold: Command) => readonly Command[], (hold: Command) => Command]>([
        ["untouched and is partly captured", () => [], (hold) => capture(hold, 10n, false)],
        [
          "partly captured and is captured further",
          (hold) => [capture(hold, 5n, false)],
          (hold) => capture(hold, 10n, false),
        ],
        ["untouched and is captured as a whole", () => [], (hold) => capture(hold, undefined, true)],
        [
          "partly captured and is captured as a whole",
          (hold) => [capture(hold, 5n, false)],
          (hold) => capture(hold, 10n, true),
        ],
      ])("reports a conflict and writes nothing if it was read as %s", async (what, before, meanwhile) => {
        const userId = `reread ${what}`;
        const hold = holdOf(userId);
        // Another hold keeps back enough that only the condition of the first one can fail.
        await decide(fundsOf(userId), hold, holdOf(userId), ...before(hold));
        const late = capture(hold, 20n, false);
        const stale = await prepare(late);
        expect(await decide(meanwhile(hold))).toEqual({ kind: "committed" });
        const [left, wallet] = [(await stored(hold))?.remainder, await store.readWallet(userId)];

        const write = { ...(await prepare(late)), referred: stale.referred };
        expect(write.referred).toHaveLength(1);
        expect(await store.commit([write])).toMatchObject({ kind: "conflict" });
        expect((await stored(hold))?.remainder).toEqual(left);
        expect(await store.readWallet(userId)).toEqual(wallet);
        expect((await stored(late))?.decision).toBeUndefined();
      });

      test("reports a conflict if the stored held balance does not cover what is freed", async () => {
        const hold = holdOf("uncovered");
        await decide(fundsOf("uncovered"), hold);
        const write = await prepare(capture(hold, undefined, true));
        const requiredHeldMinor = new Map([["USD", 101n]]);
        expect(await store.commit([{ ...write, requiredHeldMinor }])).toMatchObject({ kind: "conflict" });
        expect(await store.commit([write])).toEqual({ kind: "committed" });
      });

      test("reports a conflict if reversals took of an original since it was read, also if a return restored it", async () => {
        const original = commandWith({
          type: "credit",
          userId: "refunder",
          source: { type: "transfer", userId: "refunded", transactionId: "tx_transfer" },
        });
        const back = (amountMinor: bigint) =>
          commandWith({
            type: "credit",
            userId: "refunder",
            amountMinor,
            source: { type: "return", userId: "refunded", transactionId: "tx_refund" },
            refersTo: original.id,
          });
        await decide(original);
        const whole = await stored(original);
        const late = reversal(original, 100n);
        const stale = await prepare(late);
        await decide(reversal(original, 60n));
        expect((await stored(original))?.remainder?.remainingMinor).toBe(40n);
        const write = { ...(await prepare(late)), referred: stale.referred };
        expect(await store.commit([write])).toMatchObject({ kind: "conflict" });

        await decide(back(50n));
        expect((await stored(original))?.remainder?.remainingMinor).toBe(90n);
        await decide(back(10n));
        expect(await stored(original)).toEqual(whole);
        expect(await decide(late)).toEqual({ kind: "committed" });
        expect((await stored(original))?.remainder?.remainingMinor).toBe(0n);
      });

      test("lists a hold, newest first, until it closes, and with what captures left", async () => {
        const [first, second, third, fourth] = [holdOf("lister"), holdOf("lister"), holdOf("lister"), holdOf("lister")];
        const rejected = { ...holdOf("lister"), amountMinor: 10_000n };
        await decide(fundsOf("lister"), first, second, third, fourth, rejected, capture(fourth, undefined, true));
        const read = async (limit: number, after?: Position) => {
          const { transactions, end } = await store.readOpenHolds("lister", { limit, after });
          return [transactions.map(({ id, remainder }) => [id, remainder?.remainingMinor]), end?.sequence];
        };
        const all = [third, second, first].map(({ id }) => [id, 100n]);
        expect(await read(100)).toEqual([all, undefined]);
        expect(await read(3)).toEqual([all, undefined]);
        expect(await read(2)).toEqual([all.slice(0, 2), 3]);
        expect(await read(2, { decidedAt: DECIDED_AT, sequence: 3 })).toEqual([all.slice(2), undefined]);

        await decide(capture(third, 30n, false));
        await decide(commandWith({ type: "release", userId: "lister", refersTo: second.id }));
        expect(await read(100)).toEqual([[[third.id, 70n], all[2]], undefined]);
        await decide(capture(third, 20n, true), commandWith({ type: "expiry", userId: "lister", refersTo: first.id }));
        expect(await read(100)).toEqual([[], undefined]);
      });

      test("makes a hold due a minute after it expires, until it closes", async () => {
        const [hold, captured] = [holdOf("late"), holdOf("late")];
        await decide(fundsOf("late"), hold, captured, capture(captured, undefined, true));
        const [atDue, afterDue] = ["2026-11-30T09:31:00.000Z", "2026-11-30T09:31:00.001Z"];
        expect([await isDueBefore(hold, atDue), await isDueBefore(hold, afterDue)]).toEqual([false, true]);
        expect(await isDueBefore(captured, "9999")).toBe(false);

        await decide(capture(hold, 10n, false));
        expect([await isDueBefore(hold, atDue), await isDueBefore(hold, afterDue)]).toEqual([false, true]);
        await due.postpone(hold, afterDue);
        expect(await isDueBefore(hold, afterDue)).toBe(false);

        await decide(commandWith({ type: "expiry", userId: "late", refersTo: hold.id }));
        await due.postpone(hold, atDue);
        expect(await isDueBefore(hold, "9999")).toBe(false);
      });
    });

    test("finds an exchange and its reversal by both currencies, and by no other", async () => {
      const userId = "trader";
      const exchange = commandWith({
        type: "exchange",
        userId,
        bought: { currency: "JPY", exponent: 0, amountMinor: 5n },
      });
      await decide(commandWith({ userId }), exchange);
      await decide(commandWith({ type: "reversal", userId, refersTo: exchange.id, amountMinor: undefined }));
      const read = async (currency: string) => {
        const { transactions } = await store.readHistory(userId, { ...NEWEST, currency });
        return transactions.map(({ type }) => type);
      };
      expect(await read("USD")).toEqual(["reversal", "exchange", "deposit"]);
      expect(await read("JPY")).toEqual(["reversal", "exchange"]);
      expect(await read("EUR")).toEqual([]);
    });

    async function isDueBefore({ id }: Command, time: string): Promise<boolean> {
      for await (const key of due.dueBefore(time)) if (key.id === id) return true;
      return false;
    }
  });
}
