import type { Command } from "./command.ts";
import type { RejectionCode } from "./rejection.ts";

/** An accepted command, and its decision once the consumer has decided it. */
export interface Transaction {
  readonly id: string;
  readonly userId: string;
  readonly type: Command["type"];
  readonly currency: string;
  /** The currency's exponent when the command was accepted. */
  readonly exponent: number;
  /** Minor units, above zero. */
  readonly amountMinor: bigint;
  readonly reference: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  /** SHA-256 of the requested content: distinguishes a replay from another request with the same key. */
  readonly fingerprint: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Absent while the transaction is pending. */
  readonly decision: RecordedDecision | undefined;
}

export interface RecordedDecision {
  readonly sequence: number;
  /** Minor units. */
  readonly balanceAfterMinor: bigint;
  readonly outcome:
    | { readonly status: "posted" /** ISO 8601, UTC. */; readonly postedAt: string }
    | { readonly status: "rejected"; readonly code: RejectionCode };
}

export const DECIDED_STATUSES = ["posted", "rejected"] as const satisfies RecordedDecision["outcome"]["status"][];
export const TRANSACTION_STATUSES = ["pending", ...DECIDED_STATUSES] as const;
export type TransactionStatus = (typeof TRANSACTION_STATUSES)[number];

export function statusOf(transaction: Pick<Transaction, "decision">): TransactionStatus {
  return transaction.decision?.outcome.status ?? "pending";
}
