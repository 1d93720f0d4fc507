import type { Signal } from "./runtime.ts";
import type { Money, WalletStatus } from "./transaction.ts";

/** Your own data of a command. */
export interface Details {
  /** Your own reference, such as an invoice number; 1 to 140 characters. */
  readonly reference?: string | undefined;
  /** Up to 50 of your own key-value pairs: keys of 1 to 40 characters, values of at most 500. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface MovementBody extends Details, Money {}

export interface TransferBody extends MovementBody {
  /** The user who receives the money. */
  readonly to: string;
}

export interface HoldBody extends MovementBody {
  /** The user to whom the money is promised, who alone may then capture and release it. */
  readonly to?: string | undefined;
  /** ISO 8601; at most one year ahead, by default in 7 days. */
  readonly expiresAt?: string | undefined;
}

export interface CaptureBody extends Details {
  /** By default all that remains of the hold. */
  readonly amount?: string | undefined;
  /** Whether the rest of the hold becomes available again; by default true. */
  readonly final?: boolean | undefined;
}

export interface ExchangeBody extends Details {
  readonly sell: Money;
  readonly buy: Money;
}

export interface ReversalBody extends Details {
  /** By default all that remains of the original. Not allowed for an exchange. */
  readonly amount?: string | undefined;
}

export interface StatusChangeBody extends Details {
  readonly status: WalletStatus;
}

/** How a command is sent. */
export interface CommandOptions {
  /**
   * Your own key for this command, 1 to 255 printable ASCII characters without a comma or outer spaces. One key of a user
   * moves money at most once, and never expires. Keep it until you know the outcome, and send the command again with the
   * same key.
   */
  readonly idempotencyKey: string;
  /** Whole seconds to wait for the outcome, at most 20. Without it the transaction is returned while it is pending. */
  readonly wait?: number | undefined;
  readonly signal?: Signal | undefined;
}

/** A command with its options. */
export type Command<Body extends Details> = Body & CommandOptions;

interface Batched {
  readonly userId: string;
  readonly idempotencyKey: string;
}

interface Referring extends Batched {
  /** The `id` of the hold or the original. */
  readonly refersTo: string;
}

/** A command of a batch. */
export type BatchCommand = Readonly<
  | ({ type: "deposit" | "withdrawal" } & Batched & MovementBody)
  | ({ type: "transfer" } & Batched & TransferBody)
  | ({ type: "hold" } & Batched & HoldBody)
  | ({ type: "capture" } & Referring & CaptureBody)
  | ({ type: "release" } & Referring & Details)
  | ({ type: "exchange" } & Batched & ExchangeBody)
  | ({ type: "reversal" } & Referring & ReversalBody)
  | ({ type: "status_change" } & Batched & StatusChangeBody)
>;
