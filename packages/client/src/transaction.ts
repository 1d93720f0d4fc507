import type { RejectionCode } from "./errors.ts";

export type TransactionType =
  | "deposit"
  | "withdrawal"
  | "transfer"
  | "credit"
  | "hold"
  | "capture"
  | "release"
  | "expiry"
  | "exchange"
  | "reversal"
  | "status_change";

/** A pending transaction is not decided yet. */
export type TransactionStatus = "pending" | "posted" | "rejected";

export type WalletStatus = "active" | "frozen" | "closed";

/** An amount of a currency. */
export interface Money {
  /** Code of the currency, such as `USD`. */
  readonly currency: string;
  /** Decimal string with exactly as many decimals as the currency has, such as `12.34`. */
  readonly amount: string;
}

/** A change of one currency, with the balance after it. */
export interface Posting {
  readonly currency: string;
  /** Change of the balance; negative for a debit. */
  readonly amount: string;
  /** Change of the held part of the balance. */
  readonly held: string;
  readonly balanceAfter: string;
  readonly heldAfter: string;
}

export interface Rejection {
  readonly code: RejectionCode;
  readonly detail: string;
}

interface TransactionOf<Type extends TransactionType> {
  readonly id: string;
  readonly userId: string;
  readonly type: Type;
  readonly status: TransactionStatus;
  /** Gap-free number of the decision in the wallet's history; null while pending. */
  readonly sequence: number | null;
  /** Who asked: the wallet's owner, the user to whom a hold is promised, an operator, or the ledger itself. */
  readonly actor: "owner" | "counterparty" | "admin" | "ledger";
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** ISO 8601, UTC. Never earlier than that of the previous decision; null while pending. */
  readonly decidedAt: string | null;
  /** What changed in the wallet; empty while pending and if rejected. */
  readonly postings: readonly Posting[];
  readonly rejection: Rejection | null;
  readonly reference: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly detailsHash: string;
  /** Hash of the user's previous decision; null for the first and while pending. */
  readonly previousHash: string | null;
  /** Hash of this decision; null while pending. */
  readonly hash: string | null;
}

interface Reversible {
  /** How much of it is reversed; null if it can't be reversed. */
  readonly reversed: string | null;
}

/** Where money for another wallet is. */
export interface TransferState {
  readonly to: string;
  /** The credit in the receiver's wallet. */
  readonly creditId: string | null;
  /** Between the wallets, in the receiver's, or back in this one; null unless posted. */
  readonly status: "in_transit" | "credited" | "returned" | null;
}

/** The state of a hold. */
export interface HoldState {
  /** The user to whom the money is promised. */
  readonly to: string | null;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
  /** What is still held; null unless posted. */
  readonly remaining: string | null;
  /** null unless posted. */
  readonly status: "open" | "captured" | "released" | "expired" | null;
}

/** The transaction of another wallet that caused a credit. */
export interface Source {
  readonly type: "transfer" | "capture" | "reversal" | "return";
  readonly userId: string;
  readonly transactionId: string;
  /** What that transaction refers to: the captured hold, or the credit that it refunds. */
  readonly refersTo: string | null;
}

export interface Deposit extends TransactionOf<"deposit">, Money, Reversible {}

export interface Withdrawal extends TransactionOf<"withdrawal">, Money, Reversible {}

export interface Transfer extends TransactionOf<"transfer">, Money {
  readonly transfer: TransferState;
}

export interface Credit extends TransactionOf<"credit">, Money, Reversible {
  readonly source: Source;
  /** The `id` of the credit whose refund came back. */
  readonly refersTo: string | null;
}

export interface Hold extends TransactionOf<"hold">, Money {
  readonly hold: HoldState;
}

export interface Capture extends TransactionOf<"capture">, Reversible {
  readonly currency: string;
  /** The requested amount; if none was requested, what the decision took, and null before it. */
  readonly amount: string | null;
  /** null if the request had none, and the decision takes all that remains. */
  readonly requestedAmount: string | null;
  /** The `id` of the hold. */
  readonly refersTo: string;
  readonly final: boolean;
  readonly transfer: TransferState | null;
}

export interface Release extends TransactionOf<"release"> {
  readonly currency: string;
  /** What the decision made available again; null before it. */
  readonly amount: string | null;
  /** The `id` of the hold. */
  readonly refersTo: string;
}

export interface Expiry extends TransactionOf<"expiry"> {
  readonly currency: string;
  /** What the decision made available again; null before it. */
  readonly amount: string | null;
  /** The `id` of the hold. */
  readonly refersTo: string;
}

export interface Exchange extends TransactionOf<"exchange">, Money, Reversible {
  readonly buy: Money;
}

export interface Reversal extends TransactionOf<"reversal"> {
  readonly currency: string;
  /** The requested amount; if none was requested, what the decision took, and null before it. */
  readonly amount: string | null;
  /** null if the request had none, and the decision takes all that remains. */
  readonly requestedAmount: string | null;
  /** The `id` of the original. */
  readonly refersTo: string;
  readonly transfer: TransferState | null;
}

export interface StatusChange extends TransactionOf<"status_change"> {
  readonly currency: null;
  readonly amount: null;
  readonly newStatus: WalletStatus;
}

/** A transaction, by its `type`. */
export type Transaction =
  | Deposit
  | Withdrawal
  | Transfer
  | Credit
  | Hold
  | Capture
  | Release
  | Expiry
  | Exchange
  | Reversal
  | StatusChange;

/** What the user to whom a hold is promised sees of it, and of their own captures and releases. */
export interface PromisedTransaction {
  readonly id: string;
  readonly type: "hold" | "capture" | "release";
  readonly status: TransactionStatus;
  readonly createdAt: string;
  readonly decidedAt: string | null;
  readonly currency: string;
  readonly amount: string | null;
  readonly rejection: Rejection | null;
  readonly transfer: TransferState | null;
  readonly hold: Pick<HoldState, "expiresAt" | "remaining" | "status"> | null;
}
