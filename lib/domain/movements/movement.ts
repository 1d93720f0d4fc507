import type { Command } from "../command.ts";
import type { RejectionCode } from "../rejection.ts";
import type { State, Wallet } from "../state.ts";
import type { Change, Remainder, Transaction } from "../transaction.ts";
import type { Source } from "./credit.ts";

/** The rule of one movement. */
export interface Movement<C extends Command> {
  /**
   * The changes of the wallet if the command is posted.
   *
   * @param referred the transaction that the command refers to, which `refuses` has checked
   */
  changes(command: C, referred: Transaction | undefined): readonly Change[];
  /** Why the command is rejected whatever the balances are: the first code, in order of precedence. */
  refuses?(command: C, referred: Transaction | undefined, state: State): RejectionCode | undefined;
  /** True if it takes money out, or holds it, so that a frozen wallet rejects it. */
  takesMoney(command: C, referred: Transaction | undefined): boolean;
  /** True if also a closed wallet accepts it. */
  readonly isForClosedWallet?: (command: C) => boolean;
  /** The wallet's status after the command is posted, where it changes the status. */
  readonly statusAfter?: (command: C) => Wallet["status"];
  /** What the posted transaction leaves for captures or reversals. */
  remainder?(command: C, changes: readonly Change[]): Remainder | undefined;
  /** The remainder of the referred transaction after the command is posted. */
  remainderAfter?(command: C, before: Remainder, changes: readonly Change[]): Remainder;
  /** The credit of another wallet that a posted or rejected command causes. */
  emits?(command: C, isPosted: boolean): { readonly userId: string; readonly source: Source } | undefined;
  /** The fields that only this type has, as its hashes contain them. */
  ownFields(command: C): Readonly<Record<string, unknown>>;
  /** The rejections that the command can end with. */
  readonly rejections: readonly RejectionCode[];
}

/** A remainder of an original that reversals can take. */
export function reversible(remainingMinor: bigint): Remainder {
  return { remainingMinor, holdStatus: undefined };
}

/** What is left of a transaction that a command refers to, in minor units. */
export function remainingOf(referred: Transaction | undefined): bigint {
  return referred?.remainder?.remainingMinor ?? 0n;
}

/** A change of the balance alone. */
export function balanceChange(currency: string, exponent: number, amountMinor: bigint): Change {
  return { currency, exponent, amountMinor, heldMinor: 0n };
}
