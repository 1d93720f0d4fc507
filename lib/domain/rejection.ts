/**
 * Why a command is rejected, in order of precedence: the first that applies. A rejection is a recorded outcome, not an
 * error.
 */
export const REJECTION_CODES = [
  /** The withdrawal exceeds the available balance. */
  "insufficient_funds",
  /** The wallet would hold more than {@link CURRENCIES_MAX} currencies. */
  "currency_limit",
  /** The balance would exceed {@link MINOR_UNITS_MAX}. */
  "balance_limit",
] as const;

export type RejectionCode = (typeof REJECTION_CODES)[number];
