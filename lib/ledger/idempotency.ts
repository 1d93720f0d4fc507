import { sha256 } from "../domain/hash.ts";
import type { Transaction } from "../domain/transaction.ts";

/**
 * The id of the transaction of a user and an Idempotency-Key. The same key always has the same id, so that a command takes
 * effect at most once.
 */
export function transactionId(userId: string, idempotencyKey: string): string {
  return `tx_${sha256(JSON.stringify([userId, idempotencyKey]))}`;
}

type Content = Pick<Transaction, "type" | "currency" | "amountMinor" | "reference" | "metadata">;

/** True if two requests with one key ask for the same. The order of the metadata's keys does not matter. */
export function isReplayOf(stored: Content, candidate: Content): boolean {
  return contentOf(stored) === contentOf(candidate);
}

function contentOf({ type, currency, amountMinor, reference, metadata }: Content): string {
  const pairs = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([type, currency, amountMinor.toString(), reference ?? null, pairs]);
}
