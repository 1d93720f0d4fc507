/**
 * Why a command is rejected, in order of precedence: the first that applies. A rejection is a recorded outcome, not an
 * error.
 */
export const REJECTION_CODES = [
  /** The withdrawal exceeds the balance. */
  "insufficient_funds",
  /** The balance would exceed {@link MINOR_UNITS_MAX}. */
  "balance_limit",
] as const;

export type RejectionCode = (typeof REJECTION_CODES)[number];
