import { commandOf, type Transaction } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { COMMANDS_MAX } from "./message.ts";
import { type CommandQueue, UnreadableItem } from "./ports.ts";

export interface Requeued {
  /** Transactions whose commands were sent again. */
  readonly transactions: number;
  readonly users: number;
  /** After a failed send the later commands of the same user are not sent, to keep their order. */
  readonly failures: readonly { readonly userId: string; readonly unsent: number; readonly error: unknown }[];
  /** Their commands are not sent; those of other transactions are. */
  readonly unreadable: readonly UnreadableItem[];
}

/**
 * Sends the commands of pending transactions again, each user's in the order of acceptance. If a command is still in the
 * queue, the consumer decides it once, at its first delivery.
 */
export async function requeue(
  pending: AsyncIterable<Transaction | UnreadableItem>,
  queue: Pick<CommandQueue, "send">,
): Promise<Requeued> {
  const unreadable: UnreadableItem[] = [];
  const byUser = new Map<string, Transaction[]>();
  for await (const read of pending) {
    if (read instanceof UnreadableItem) {
      unreadable.push(read);
      continue;
    }
    const own = byUser.get(read.userId);
    if (own) own.push(read);
    else byUser.set(read.userId, [read]);
  }
  let transactions = 0;
  const failures: Requeued["failures"][number][] = [];
  await inParallel(byUser, async ([userId, own]) => {
    own.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    for (let start = 0; start < own.length; start += COMMANDS_MAX) {
      const commands = own.slice(start, start + COMMANDS_MAX).map(commandOf);
      try {
        await queue.send({ commands, requestId: "requeue" });
        transactions += commands.length;
      } catch (error) {
        failures.push({ userId, unsent: own.length - start, error });
        return;
      }
    }
  });
  return { transactions, users: byUser.size, failures, unreadable };
}
