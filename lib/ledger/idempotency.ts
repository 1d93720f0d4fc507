import { movementOf } from "../domain/movements/index.ts";
import { sha256 } from "../domain/sha256.ts";
import type { Transaction } from "../domain/transaction.ts";

/**
 * The id of the transaction of a user and an Idempotency-Key. The same key always has the same id, so that a command takes
 * effect at most once.
 *
 * @param counterpartyId the caller, if it is the other user of a promised hold: its keys are not those of the wallet's owner
 */
export function transactionId(userId: string, idempotencyKey: string, counterpartyId?: string): string {
  const parts = counterpartyId === undefined ? [userId, idempotencyKey] : [userId, counterpartyId, idempotencyKey];
  return `tx_${sha256(JSON.stringify(parts))}`;
}

/** True if two requests with one key ask for the same. The order of the metadata's keys does not matter. */
export function isReplayOf(stored: Transaction, candidate: Transaction): boolean {
  return contentOf(stored) === contentOf(candidate);
}

function contentOf(transaction: Transaction): string {
  const { type, currency, amountMinor, reference, metadata } = transaction;
  const own = movementOf(transaction).ownFields(transaction);
  const pairs = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([type, currency, amountMinor?.toString(), reference ?? null, pairs, own]);
}
