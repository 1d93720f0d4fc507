import type { Command } from "../domain/command.ts";
import type { Currency } from "../domain/currency.ts";
import type { Fold } from "../domain/decide.ts";
import type { Credit } from "../domain/movements/credit.ts";
import type { Wallet } from "../domain/state.ts";
import type { DECIDED_STATUSES, DecidedTransaction, Decision, Remainder, Transaction } from "../domain/transaction.ts";
import type { Message, ReceivedCommand } from "./message.ts";
import type { Position } from "./position.ts";

/**
 * A store or a queue failed, or did not report its success, for a transient reason: a throttle, a timeout, a fault of the
 * service. Every call of a port can be repeated.
 */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** A message that another version of the ledger sent. */
export class UnsupportedMessage extends Error {
  override readonly name = "UnsupportedMessage";
}

/** A stored item that the ledger did not write. Its message follows the user's name in a sentence. */
export class UnreadableItem extends Error {
  override readonly name = "UnreadableItem";
  readonly userId: string;

  /** @param item `wallet`, or `transaction` and its id */
  constructor(userId: string, item: string, problem: string) {
    super(`has an unreadable item, ${item}: ${problem}`);
    this.userId = userId;
  }
}

/** Where a transaction is stored. */
export interface TransactionKey {
  readonly userId: string;
  readonly id: string;
}

export interface LedgerStore {
  /**
   * Stores a pending transaction unless its id is taken.
   *
   * @param dueAt when the sweep sends it if it is still pending, ISO 8601, UTC; never if absent
   * @returns the stored transaction that has the id, if there is one
   */
  putPending(transaction: Transaction, dueAt?: string): Promise<Transaction | undefined>;
  /**
   * Stores pending transactions with different ids, each unless its id is taken and whatever becomes of the others.
   *
   * @returns by id: the stored transaction that has it, or the error of one that may not be stored
   */
  putAllPending(transactions: readonly Transaction[]): Promise<ReadonlyMap<string, Transaction | Error>>;
  /** Strongly consistent. */
  findTransaction(userId: string, id: string): Promise<Transaction | undefined>;
  /** Those that exist, in no order. Each is strongly consistent. */
  findTransactions(keys: readonly TransactionKey[]): Promise<readonly Transaction[]>;
  /** Strongly consistent. */
  readWallet(userId: string): Promise<Wallet | undefined>;
  /** Each wallet is strongly consistent; the map has no entry for a user without a wallet. */
  readWallets(userIds: readonly string[]): Promise<ReadonlyMap<string, Wallet>>;
  /** Writes the decisions of several users, all or none of them: at most {@link COMMIT_ITEMS_MAX} items. */
  commit(commits: readonly Commit[]): Promise<CommitResult>;
  /** Decided transactions. Eventually consistent: the newest can be missing, and older ones among them. */
  readHistory(userId: string, query: HistoryQuery): Promise<HistoryPage>;
  /** A user's open holds, newest first. Eventually consistent. */
  readOpenHolds(userId: string, query: Pick<HistoryQuery, "limit" | "after">): Promise<HistoryPage>;
}

/** Wallets and transactions in one write. */
export const COMMIT_ITEMS_MAX = 100;

/** A decision, with the command whose content the stored transaction must have. */
export interface Decided extends ReceivedCommand {
  readonly decision: Decision;
  /** The credit that the decision causes in another wallet, stored in the same write. */
  readonly emitted: Credit | undefined;
  /** What all decisions of the write leave of this transaction for captures or reversals. */
  readonly remainder: Remainder | undefined;
}

/** An earlier transaction whose remainder the decisions of one write change. */
export interface ReferredChange {
  /** As it was read. The write requires its remainder. */
  readonly before: DecidedTransaction;
  readonly after: Remainder;
}

/** The decisions of one user in one write. */
export interface Commit {
  readonly userId: string;
  /** The wallet as it was read; `undefined` if the user had none. */
  readonly before: Wallet | undefined;
  /** The wallet after the decisions. */
  readonly wallet: Wallet;
  readonly requiredAvailableMinor: Fold["requiredAvailableMinor"];
  readonly requiredHeldMinor: Fold["requiredHeldMinor"];
  readonly decided: readonly Decided[];
  readonly referred: readonly ReferredChange[];
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
  readonly order: "newest first" | "oldest first";
  /** Where the previous page ended: only the decisions behind it, in the order of the query. */
  readonly after?: Position | undefined;
  /** Only decisions of this time or later. ISO 8601 with milliseconds, UTC. */
  readonly from?: string | undefined;
  /** Only decisions before this time. ISO 8601 with milliseconds, UTC. */
  readonly to?: string | undefined;
  readonly type?: Command["type"] | undefined;
  readonly currency?: string | undefined;
  readonly status?: (typeof DECIDED_STATUSES)[number] | undefined;
}

export const HISTORY_LIMIT_MAX = 100;

export interface HistoryPage {
  readonly transactions: readonly DecidedTransaction[];
  /** Where this page ends; absent on the last page. */
  readonly end: Position | undefined;
}

/** What the sweep must send: undecided credits and expiries, and the expiries of holds whose time is over. */
export interface DueIndex {
  /** Those that are due before a time, ISO 8601, UTC, in no order. Eventually consistent. */
  dueBefore(time: string): AsyncIterable<TransactionKey>;
  /** Makes a transaction due again at a later time. Does nothing if it is not due any more. */
  postpone(key: TransactionKey, dueAt: string): Promise<void>;
}

/** A decision, as it is published. The same decision has the same event, however often it is published. */
export interface LedgerEvent {
  /** `userId/sequence` */
  readonly id: string;
  readonly userId: string;
  /** What subscribers can filter by. */
  readonly attributes: {
    readonly type: Command["type"];
    readonly status: (typeof DECIDED_STATUSES)[number];
    /** Absent for a command that moves no money. */
    readonly currency: string | undefined;
  };
  /** CloudEvents 1.0, JSON. */
  readonly body: string;
}

/** Where events are published. */
export interface EventPublisher {
  /**
   * Publishes events of different users, at most one of each.
   *
   * @returns ids of the events that may not have been published
   */
  publish(events: readonly LedgerEvent[]): Promise<ReadonlySet<string>>;
}

export interface CurrencyList {
  /** Every currency by code, disabled ones included. Can be ten seconds old. */
  list(): Promise<readonly Currency[]>;
}

export interface CommandQueue {
  /** Sends a user's commands; the queue delivers them after the user's earlier ones. */
  send(message: Message): Promise<void>;
  /**
   * Sends the commands of several users.
   *
   * @returns the messages that may not be in the queue, with the errors
   */
  sendAll(messages: readonly Message[]): Promise<ReadonlyMap<Message, TransientError>>;
  /** Sends a record, or one command of it as the body, to the dead-letter queue. Repeated within minutes: does nothing. */
  sendToDeadLetters(record: QueueRecord, reason: DeadLetterReason): Promise<void>;
}

export interface QueueRecord {
  readonly recordId: string;
  readonly groupId: string;
  readonly body: string;
  /** True unless the queue delivers it for the first time. */
  readonly isRedelivered: boolean;
}

export const DEAD_LETTER_REASONS = [
  /** The body is not a message of the ledger. */
  "malformed",
  /** The message is not in its user's group, so nothing orders it among the user's other commands. */
  "group_mismatch",
  /** No transaction with this id was accepted. */
  "unknown_transaction",
  /** The transaction that was accepted under this id has other content. */
  "content_mismatch",
  /** The store will never accept the write of the decision. */
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
  /** The user's last decision, or the command, is of a later time than this consumer's clock. */
  "clock_behind",
  /** In a write of several users: an error that no retry explains, such as a bug. */
  "error",
] as const;

export type RetryCause = (typeof RETRY_CAUSES)[number];

interface Retry {
  readonly cause: RetryCause;
  readonly detail: string;
  readonly requestIds: readonly string[];
}

/** Observes the consumer. Must not throw. */
export interface ConsumerObserver {
  /** One write of a user's decisions succeeded. */
  committed(commit: Commit): void;
  /** The consumer reads, decides and writes a user's commands again. */
  retried(userId: string, retry: Retry): void;
  /** Credits are stored and may not be in the queue; the sweep sends them. */
  unsent(credits: readonly Command[], error: unknown): void;
  deadLettered(record: QueueRecord, reason: DeadLetterReason, detail: string): void;
  /** The queue delivers the records again. `requestIds` are those of the messages that can be decoded. */
  failed(recordIds: readonly string[], error: unknown, requestIds: readonly string[]): void;
}
