import type { Transaction } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { storedMessage } from "./message.ts";
import type { CommandQueue } from "./ports.ts";

export interface Requeued {
  /** Transactions whose commands were sent again. */
  readonly transactions: number;
  readonly users: number;
  /** After a failed send the later commands of the same user are not sent, to keep their order. */
  readonly failures: readonly { readonly userId: string; readonly unsent: number; readonly error: unknown }[];
}

/**
 * Sends the commands of pending transactions again, each user's in the order of acceptance. If a command is still in the
 * queue, the consumer decides it once, at its first delivery.
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
        await queue.send(storedMessage(transaction, "requeue"));
        transactions++;
      } catch (error) {
        failures.push({ userId, unsent: own.length - index, error });
        return;
      }
    }
  });
  return { transactions, users: byUser.size, failures };
}
