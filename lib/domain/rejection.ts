/**
 * Why a command is rejected, in order of precedence: the first that applies. A rejection is a recorded outcome, not an
 * error.
 */
export const REJECTION_CODES = [
  /** A closed wallet takes only returns and changes of its status. */
  "wallet_closed",
  /** Only an operator can take money out of a frozen wallet. */
  "wallet_frozen",
  /** The hold is pending, rejected, captured, released or expired. */
  "hold_closed",
  /** The capture was accepted at the hold's `expiresAt` or later. */
  "hold_expired",
  /** The capture exceeds what remains of the hold. */
  "capture_exceeds_hold",
  /** The original is pending, rejected, or of a type that has no reversal. */
  "not_reversible",
  /** The reversal exceeds what earlier reversals have left of the original. */
  "reversal_exceeds_original",
  /** Only a wallet without money and holds can be closed. */
  "wallet_not_empty",
  /** The amount exceeds the available balance. */
  "insufficient_funds",
  /** The wallet would hold more than {@link CURRENCIES_MAX} currencies. */
  "currency_limit",
  /** The balance would exceed {@link MINOR_UNITS_MAX}. */
  "balance_limit",
] as const;

export type RejectionCode = (typeof REJECTION_CODES)[number];
