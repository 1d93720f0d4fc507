import type { Command } from "./command.ts";
import { contentHashOf } from "./hash.ts";
import type { RejectionCode } from "./rejection.ts";
import type { WalletStatus } from "./state.ts";

/** The client's own data of a transaction, of which the hash chain contains only a hash. */
export interface Details {
  /**
   * 128 random bits in base64url: without them the hash of a short reference could be guessed. Absent if there is neither
   * reference nor metadata, or if they were erased.
   */
  readonly salt: string | undefined;
  readonly reference: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

export const HOLD_STATUSES = ["open", "captured", "released", "expired"] as const;
type HoldStatus = (typeof HOLD_STATUSES)[number];

/** What later transactions can still take of this one: captures of a hold, reversals of an original. */
export interface Remainder {
  /** Minor units. */
  readonly remainingMinor: bigint;
  /** Absent unless the transaction is a hold. */
  readonly holdStatus: HoldStatus | undefined;
}

/** An accepted command, and its decision once the consumer has decided it. */
export type TransactionOf<C extends Command> = C &
  Details & {
    /** Hash of the command's content as it was accepted; see `contentHashOf`. */
    readonly contentHash: string;
    /** Absent while the transaction is pending. */
    readonly decision: Decision | undefined;
    /** Absent unless the transaction is posted and others can refer to it. The only part that changes after the decision. */
    readonly remainder: Remainder | undefined;
  };

export type Transaction = TransactionOf<Command>;

const NO_DETAILS: Details = { salt: undefined, reference: undefined, metadata: undefined };

/** A command as it is accepted. */
export function pendingTransaction<C extends Command>(command: C, details = NO_DETAILS): TransactionOf<C> {
  const fresh = { contentHash: contentHashOf(command), decision: undefined, remainder: undefined };
  return Object.assign({}, command, details, fresh);
}

/** The command that became a transaction. */
export function commandOf(transaction: Transaction): Command {
  const { salt, reference, metadata, contentHash, decision, remainder, ...command } = transaction;
  return command;
}

export type DecidedTransaction = Transaction & { readonly decision: Decision };

/** A change of one currency of the wallet. */
export interface Change {
  readonly currency: string;
  /** Digits after the decimal point. */
  readonly exponent: number;
  /** Change of the balance (available and held together), in minor units. */
  readonly amountMinor: bigint;
  /** Change of the held part of the balance, in minor units. */
  readonly heldMinor: bigint;
}

/** A change, with the balance after it. */
export interface Posting extends Change {
  readonly balanceAfterMinor: bigint;
  readonly heldAfterMinor: bigint;
}

export type Outcome = { readonly status: "posted" } | { readonly status: "rejected"; readonly code: RejectionCode };

/** The outcome of a command, and the wallet after it. It is never changed. */
export interface Decision {
  /** The user's gap-free count of decisions, from 1. */
  readonly sequence: number;
  /** ISO 8601, UTC. Never earlier than that of the user's previous decision. */
  readonly decidedAt: string;
  readonly outcome: Outcome;
  /** Empty for a rejection. */
  readonly postings: readonly Posting[];
  /** The wallet's status after the decision. */
  readonly walletStatus: WalletStatus;
  /** The wallet's available balances after the decision, as in {@link Wallet}. */
  readonly available: ReadonlyMap<string, bigint>;
  /** The wallet's held balances after the decision, as in {@link Wallet}. */
  readonly held: ReadonlyMap<string, bigint>;
  /** Hash of the user's previous decision; absent for the first. */
  readonly previousHash: string | undefined;
  /** Hash of all that the decision fixed; see `hashOf`. */
  readonly hash: string;
}

export const DECIDED_STATUSES = ["posted", "rejected"] as const satisfies Outcome["status"][];
export const TRANSACTION_STATUSES = ["pending", ...DECIDED_STATUSES] as const;
export type TransactionStatus = (typeof TRANSACTION_STATUSES)[number];

export function isDecided(transaction: Transaction): transaction is DecidedTransaction {
  return transaction.decision !== undefined;
}

export function statusOf(transaction: Pick<Transaction, "decision">): TransactionStatus {
  return transaction.decision?.outcome.status ?? "pending";
}
