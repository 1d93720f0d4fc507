import { emittedOf } from "../domain/emitted.ts";
import { contentHashOf } from "../domain/hash.ts";
import type { Transaction } from "../domain/transaction.ts";
import { type TransactionKey, UnreadableItem } from "./ports.ts";
import type { Discrepancy, LedgerReader } from "./verify.ts";

/** True for a transaction that another wallet's caused, or that can cause one there. */
export function isLinked({ type }: Pick<Transaction, "type">): boolean {
  return type === "transfer" || type === "credit" || type === "capture" || type === "reversal";
}

/** Matches decisions that send money to another wallet with the credits there, in both directions. */
export async function checkLinks(
  transactions: readonly Transaction[],
  reader: Pick<LedgerReader, "transactions">,
): Promise<readonly Discrepancy[]> {
  const keys = new Map<string, TransactionKey>();
  for (const transaction of transactions) {
    for (const key of [emittedOf(transaction), sourceOf(transaction)]) if (key) keys.set(nameOf(key), key);
  }
  const found = keys.size > 0 ? await readLinked([...keys.values()], reader) : [];
  const byName = new Map(found.map((transaction) => [nameOf(transaction), transaction]));
  const stored = (key: TransactionKey) => byName.get(nameOf(key));
  return transactions.flatMap((transaction): Discrepancy[] => {
    const { userId, id } = transaction;
    const [emitted, source] = [emittedOf(transaction), sourceOf(transaction)];
    if (emitted && stored(emitted)?.contentHash !== contentHashOf(emitted)) {
      const detail = `has transaction ${id}, whose credit ${emitted.id} of user ${emitted.userId} is missing or another`;
      return [{ userId, code: "CREDIT_MISMATCH", detail }];
    }
    const cause = source && stored(source);
    const caused = cause && emittedOf(cause);
    if (source && (caused?.id !== id || caused.userId !== userId)) {
      const detail = `has credit ${id}, which no transaction of user ${source.userId} caused`;
      return [{ userId, code: "SOURCE_MISMATCH", detail }];
    }
    return [];
  });
}

/** Those that exist and are readable: an unreadable one is named when its own wallet is verified. */
async function readLinked(
  keys: readonly TransactionKey[],
  reader: Pick<LedgerReader, "transactions">,
): Promise<readonly Transaction[]> {
  try {
    return await reader.transactions(keys);
  } catch (error) {
    if (!(error instanceof UnreadableItem)) throw error;
    const others = keys.length > 1 ? await Promise.all(keys.map((key) => readLinked([key], reader))) : [];
    return others.flat();
  }
}

function sourceOf(transaction: Transaction): TransactionKey | undefined {
  if (transaction.type !== "credit") return undefined;
  const { userId, transactionId } = transaction.source;
  return { userId, id: transactionId };
}

function nameOf({ userId, id }: TransactionKey): string {
  return `${userId} ${id}`;
}
