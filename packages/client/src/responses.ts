import type { FieldError, ProblemCode } from "./errors.ts";
import type { PromisedTransaction, Transaction, TransactionType, WalletStatus } from "./transaction.ts";

export interface Balance {
  readonly currency: string;
  /** The balance: available and held together. */
  readonly amount: string;
  readonly held: string;
  readonly available: string;
}

export interface Balances {
  readonly userId: string;
  readonly status: WalletStatus;
  /** Sequence number of the last decision; 0 before the first. */
  readonly sequence: number;
  /** Hash of the last decision; null before the first. */
  readonly hash: string | null;
  /** Present while a decision that is being written can still change this answer; at most 30 seconds. */
  readonly provisional?: true | undefined;
  readonly balances: readonly Balance[];
}

export interface StatementLine {
  readonly id: string;
  readonly sequence: number;
  readonly type: TransactionType;
  readonly decidedAt: string;
  readonly reference: string | null;
  readonly credit: string | null;
  readonly debit: string | null;
  readonly balance: string;
}

/** A page of a statement, oldest line first. */
export interface StatementPage {
  readonly userId: string;
  readonly currency: string;
  readonly from: string | null;
  readonly to: string;
  /** Present while a decision that is being written can still change this answer; at most 30 seconds. */
  readonly provisional?: true | undefined;
  /** Balance before the first line of the page. */
  readonly opening: string;
  /** Sum of the credits of the page. */
  readonly credits: string;
  /** Sum of the debits of the page. */
  readonly debits: string;
  /** Balance after the last line: opening + credits − debits. */
  readonly closing: string;
  readonly lines: readonly StatementLine[];
  /** null on the last page. */
  readonly nextCursor: string | null;
}

export interface Currency {
  readonly code: string;
  readonly name: string;
  /** Number of decimals. */
  readonly exponent: number;
}

/** RFC 9457 problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly requestId: string;
  readonly errors?: readonly FieldError[] | undefined;
  readonly transaction?: Transaction | PromisedTransaction | undefined;
}

/** The result of one command of a batch. */
export type BatchResult =
  | {
      readonly status: 202;
      /** The key was used before for the same. */
      readonly replayed?: true | undefined;
      readonly transaction: Transaction | PromisedTransaction;
    }
  | { readonly status: number; readonly problem: Problem };
