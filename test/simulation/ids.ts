import { createHash } from "node:crypto";

/** The ids of transactions, by the rule in the documents and without the ledger's code. */

/** A client's command: of the wallet's owner or an operator, or of the other user of a promised hold. */
export interface CommandKey {
  readonly userId: string;
  readonly key: string;
  readonly callerId?: string | undefined;
}

export function idOf({ userId, key, callerId }: CommandKey): string {
  return hashed(callerId === undefined ? [userId, key] : [userId, callerId, key]);
}

/** The id of a command that the ledger derives from a transaction. */
export function derivedIdOf(type: "credit" | "return" | "expiry", userId: string, id: string): string {
  return hashed(["", type, userId, id]);
}

/** The deduplication id of a message with the commands of some transactions. */
export function deduplicationIdOf(ids: readonly string[]): string {
  return sha256(JSON.stringify(ids));
}

/** The client's reference, by which the oracle finds the request of a stored transaction. */
export function referenceOf({ key, callerId }: CommandKey): string {
  return callerId === undefined ? key : `${key} by ${callerId}`;
}

export function sha256(content: string): string {
  return createHash("sha256").update(content).digest("base64url");
}

function hashed(parts: readonly string[]): string {
  return `tx_${sha256(JSON.stringify(parts))}`;
}
