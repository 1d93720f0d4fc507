import { createHash } from "node:crypto";
import type { Transaction } from "../domain/transaction.ts";

/**
 * The id of the transaction of a user and an Idempotency-Key. The same key always has the same id, so that a command takes
 * effect at most once.
 */
export function transactionId(userId: string, idempotencyKey: string): string {
  return `tx_${sha256(JSON.stringify([userId, idempotencyKey]))}`;
}

/** Distinguishes two requests with one key. The order of the metadata's keys does not matter. */
export function fingerprintOf(
  content: Pick<Transaction, "type" | "currency" | "amountMinor" | "reference" | "metadata">,
): string {
  const { type, currency, amountMinor, reference, metadata } = content;
  const pairs = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify([type, currency, amountMinor.toString(), reference ?? null, pairs]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
