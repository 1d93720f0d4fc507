import type { Currency } from "../domain/currency.ts";
import type { DECIDED_STATUSES, Transaction } from "../domain/transaction.ts";
import type { Decision, Fold, Wallet } from "../domain/wallet.ts";
import type { Message } from "./message.ts";

/**
 * A store or a queue failed, or did not report its success, for a transient reason: a throttle, a timeout, a fault of the
 * service. Every call of a port can be repeated.
 */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** A message that this version of the ledger can't decode and another one may. */
export class UnsupportedMessage extends Error {
  override readonly name = "UnsupportedMessage";
}

/** A stored item that is not one the ledger writes. Its message follows the user's name in a sentence. */
export class UnreadableItem extends Error {
  override readonly name = "UnreadableItem";
  readonly userId: string;

  /** @param item `wallet`, or `transaction` and its id */
  constructor(userId: string, item: string, problem: string) {
    super(`has an unreadable item, ${item}: ${problem}`);
    this.userId = userId;
  }
}

export interface LedgerStore {
  /**
   * Stores a pending transaction unless its id is taken.
   *
   * @returns the transaction that has the id already, if there is one
   */
  putPending(transaction: Transaction): Promise<Transaction | undefined>;
  /** Strongly consistent. */
  findTransaction(userId: string, id: string): Promise<Transaction | undefined>;
  /** Strongly consistent. */
  readWallet(userId: string): Promise<Wallet | undefined>;
  /** Strongly consistent each by itself; a user that has no wallet is absent. */
  readWallets(userIds: readonly string[]): Promise<ReadonlyMap<string, Wallet>>;
  /** Writes the folds of several users, all of them whole or nothing at all. */
  commit(commits: readonly Commit[]): Promise<CommitResult>;
  /** Decided transactions, newest first. Eventually consistent. */
  readHistory(userId: string, query: HistoryQuery): Promise<HistoryPage>;
}

/** A decision, with the message whose content the stored transaction must have. */
export interface Decided {
  readonly message: Message;
  readonly decision: Decision;
}

export interface Commit {
  readonly userId: string;
  /** The wallet as it was read; `undefined` when the user had none. */
  readonly before: Wallet | undefined;
  /** The wallet as it is after the decisions. */
  readonly wallet: Wallet;
  readonly requiredMinor: Fold["requiredMinor"];
  readonly decided: readonly Decided[];
  readonly decidedAt: Date;
}

export type CommitResult =
  | { readonly kind: "committed" }
  /** Another writer was first, or the service throttles: read and decide again. */
  | { readonly kind: "conflict"; readonly detail: string }
  /** Some transactions can't be decided: they are decided already, or the message is not what was accepted. */
  | {
      readonly kind: "precondition_failed";
      readonly alreadyDecided: ReadonlySet<string>;
      readonly notAccepted: ReadonlyMap<string, DeadLetterReason>;
    }
  /** The store will never accept this write. */
  | { readonly kind: "invalid_write"; readonly detail: string };

export interface HistoryQuery {
  /** 1 to {@link HISTORY_LIMIT_MAX}. */
  readonly limit: number;
  /** Only decisions with a sequence number below this one. */
  readonly beforeSequence: number | undefined;
  readonly currency: string | undefined;
  readonly status: (typeof DECIDED_STATUSES)[number] | undefined;
}

export const HISTORY_LIMIT_MAX = 100;

export interface HistoryPage {
  readonly transactions: readonly Transaction[];
  /** Where the next page starts; absent on the last one. */
  readonly nextBeforeSequence: number | undefined;
}

export interface CurrencyList {
  /** Every currency, the disabled ones too, in order of code. May be a few seconds old. */
  list(): Promise<readonly Currency[]>;
}

export interface CommandQueue {
  /** Sends a command behind the user's earlier ones. */
  send(message: Message): Promise<void>;
  /** Sets a record aside that can't be applied. */
  sendToDeadLetters(record: QueueRecord, reason: DeadLetterReason): Promise<void>;
}

export interface QueueRecord {
  readonly recordId: string;
  readonly groupId: string;
  readonly body: string;
}

export const DEAD_LETTER_REASONS = [
  /** The body is not a message of this version of the ledger. */
  "malformed",
  /** The message is not in its user's group, so nothing orders it among the user's other commands. */
  "group_mismatch",
  /** No transaction with this id was accepted. */
  "unknown_transaction",
  /** The transaction that was accepted under this id has another type, currency, amount or fingerprint. */
  "content_mismatch",
  /** The store refuses to write the decision. */
  "invalid_write",
] as const;

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

export interface Clock {
  now(): Date;
  sleep(milliseconds: number): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

export const RETRY_CAUSES = [
  /** Another writer was first, or the service throttled the write. */
  "conflict",
  /** In a write of several users: a transaction was decided already, or a message was not what was accepted. */
  "precondition_failed",
  /** In a write of several users: the store will never accept it. */
  "invalid_write",
  /** The store did not answer, or throttled the read. */
  "unavailable",
  /** In a write of several users: an error that no retry explains, such as a bug. */
  "error",
] as const;

export type RetryCause = (typeof RETRY_CAUSES)[number];

interface Retry {
  readonly cause: RetryCause;
  readonly detail: string;
  readonly requestIds: readonly string[];
}

/** Told of what happens in the consumer; must not throw. */
export interface ConsumerObserver {
  /** One write stands: the user's commands and what became of each. */
  committed(decided: readonly Decided[], decidedAt: Date): void;
  /** A user's commands are read, decided and written once more. */
  retried(userId: string, retry: Retry): void;
  deadLettered(record: QueueRecord, reason: DeadLetterReason, detail: string): void;
  /** The records go back to the queue. The requests are those that sent them, as far as they can be told. */
  failed(recordIds: readonly string[], error: unknown, requestIds: readonly string[]): void;
}
