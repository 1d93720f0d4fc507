import { randomUUID } from "node:crypto";
import { fold, initialRemainder } from "../lib/domain/decide.ts";
import { type DecidedTransaction, isDecided, statusOf } from "../lib/domain/transaction.ts";
import { transactionId } from "../lib/ledger/idempotency.ts";
import { positionText } from "../lib/ledger/position.ts";
import type { LedgerReader } from "../lib/ledger/verify.ts";
import type { InMemoryPorts } from "./inMemoryPorts.ts";
import { commandWith, stateOf, transactionOf } from "./storeContract.ts";

/** A deposit, `+5 USD`, or a withdrawal, `-5 USD`, of minor units. */
type Move = `${"+" | "-"}${number} ${string}`;

/** The time that is this much after the first that an in-memory clock shows. */
export function timeAt(milliseconds: number): string {
  return new Date(Date.parse("2026-11-23T09:30:00.000Z") + milliseconds).toISOString();
}

/** A command's time, in milliseconds as {@link timeAt} counts them, what it does, and its user. */
type Step = readonly [milliseconds: number, move: Move, userId?: string];

/** Decides commands at their times, one write for each. They are alice's if no user is given. */
export function decideAt(ports: InMemoryPorts, ...steps: readonly Step[]): DecidedTransaction[] {
  return steps.map(([milliseconds, move, userId = "alice"]) => {
    const [change = "", currency = ""] = move.split(" ");
    const amountMinor = BigInt(change.slice(1));
    const type = change.startsWith("+") ? "deposit" : "withdrawal";
    const id = transactionId(userId, randomUUID());
    const pending = transactionOf(commandWith({ id, userId, type, currency, amountMinor }));
    const start = stateOf(ports.wallets.get(userId));
    const { state, decisions } = fold(start, [pending], timeAt(milliseconds));
    const [decision] = decisions;
    if (!decision) throw new Error("A command has no decision");
    const transaction = { ...pending, decision, remainder: initialRemainder(pending, decision) };
    ports.transactions.set(JSON.stringify([userId, pending.id]), transaction);
    ports.wallets.set(userId, state.wallet);
    return transaction;
  });
}

/** Reads the ledger in memory as lib/aws/ledgerReader.ts reads the tables. */
export function ledgerReaderOf({ store, wallets, transactions, hiddenIds }: InMemoryPorts): LedgerReader {
  const decidedOf = (userId: string) =>
    [...transactions.values()].filter(isDecided).filter((transaction) => transaction.userId === userId);
  return {
    async *wallets() {
      for (const [userId, wallet] of [...wallets]) yield { userId, wallet };
    },
    wallet: async (userId) => wallets.get(userId),
    async *history(userId) {
      yield* decidedOf(userId)
        .filter(({ id }) => !hiddenIds.has(id))
        .sort((a, b) => (positionText(a.decision) < positionText(b.decision) ? -1 : 1));
    },
    consistentHistory: async (userId) => decidedOf(userId).sort((a, b) => a.decision.sequence - b.decision.sequence),
    async *statuses() {
      for (const transaction of [...transactions.values()]) {
        yield { userId: transaction.userId, status: statusOf(transaction), transaction };
      }
    },
    transactions: store.findTransactions,
  };
}
