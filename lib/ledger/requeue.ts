import type { Transaction } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { messageOf } from "./message.ts";
import type { CommandQueue } from "./ports.ts";

export interface Requeued {
  /** Transactions that were sent again. */
  readonly transactions: number;
  readonly users: number;
  /** Users some of whose transactions were not sent, and why: nothing goes ahead of one that could not be sent. */
  readonly failures: readonly { readonly userId: string; readonly unsent: number; readonly error: unknown }[];
}

/**
 * Sends pending transactions again, each user's in the order in which they were made. One that is in the queue already
 * is decided only once, and in its first place.
 */
export async function requeue(pending: AsyncIterable<Transaction>, queue: CommandQueue): Promise<Requeued> {
  const byUser = new Map<string, Transaction[]>();
  for await (const transaction of pending) {
    const own = byUser.get(transaction.userId);
    if (own) own.push(transaction);
    else byUser.set(transaction.userId, [transaction]);
  }
  let transactions = 0;
  const failures: Requeued["failures"][number][] = [];
  await inParallel(byUser, async ([userId, own]) => {
    own.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    for (const [index, transaction] of own.entries()) {
      try {
        await queue.send(messageOf(transaction, "requeue"));
        transactions++;
      } catch (error) {
        failures.push({ userId, unsent: own.length - index, error });
        return;
      }
    }
  });
  return { transactions, users: byUser.size, failures };
}
