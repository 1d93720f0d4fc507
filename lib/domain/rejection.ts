/**
 * Why a command is refused, in order of precedence: the first that applies wins. A rejection is an outcome that is
 * recorded in the history, not an error.
 */
export const REJECTION_CODES = [
  /** A withdrawal asks for more than the balance. */
  "insufficient_funds",
  /** A deposit would take the balance above {@link MINOR_UNITS_MAX}. */
  "balance_limit",
] as const;

export type RejectionCode = (typeof REJECTION_CODES)[number];
