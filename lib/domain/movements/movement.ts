import type { CommandBase } from "../command.ts";
import type { RejectionCode } from "../rejection.ts";

/** How a movement changes one currency of a wallet. */
export interface Change {
  readonly currency: string;
  /** Digits after the decimal point. */
  readonly exponent: number;
  /** Change of the balance (available and held together), in minor units. */
  readonly amountMinor: bigint;
  /** Change of the held part of the balance, in minor units. */
  readonly heldMinor: bigint;
}

/** The rule of one movement. */
export interface Movement<C extends CommandBase> {
  /** The changes of the wallet if the command is posted. */
  changes(command: C): readonly Change[];
  /** The rejections that the command can end with. */
  readonly rejections: readonly RejectionCode[];
}
