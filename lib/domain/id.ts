import { sha256 } from "./sha256.ts";

/**
 * The id of a command that the ledger derives from a transaction. The empty first element keeps it apart from the ids of
 * clients' keys, whose first element is a user id.
 */
export function derivedId(type: "credit" | "return" | "expiry", userId: string, transactionId: string): string {
  return `tx_${sha256(JSON.stringify(["", type, userId, transactionId]))}`;
}
