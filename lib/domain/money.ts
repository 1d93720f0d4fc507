/**
 * Exact money. An amount is a `bigint` of minor units in the code and a decimal string in the API. No amount is ever a
 * float.
 */

/**
 * The largest amount or balance, in minor units. A DynamoDB number stores 38 digits exactly; the two above this limit
 * leave room for money that must return to a wallet.
 */
export const MINOR_UNITS_MAX = 10n ** 36n - 1n;

const DECIMAL = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;
const DECIMAL_LENGTH_MAX = 80;

export const AMOUNT_PROBLEMS = ["amount_invalid", "amount_scale", "amount_zero", "amount_limit"] as const;
export type AmountProblem = (typeof AMOUNT_PROBLEMS)[number];

export type ParsedAmount =
  | { readonly ok: true; readonly amountMinor: bigint }
  | { readonly ok: false; readonly problem: AmountProblem };

/**
 * Reads a decimal string such as `"12.34"` as an amount above zero.
 *
 * @param exponent digits after the decimal point
 * @returns minor units, or the first problem that applies, in the order of {@link AmountProblem}
 */
export function parseAmount(decimal: string, exponent: number): ParsedAmount {
  const match = decimal.length <= DECIMAL_LENGTH_MAX ? DECIMAL.exec(decimal) : null;
  if (!match) return { ok: false, problem: "amount_invalid" };
  const [, whole = "", fraction = ""] = match;
  if (fraction.length > exponent) return { ok: false, problem: "amount_scale" };
  const amountMinor = BigInt(whole + fraction.padEnd(exponent, "0"));
  if (amountMinor === 0n) return { ok: false, problem: "amount_zero" };
  if (amountMinor > MINOR_UNITS_MAX) return { ok: false, problem: "amount_limit" };
  return { ok: true, amountMinor };
}

/** Formats minor units as a decimal string with exactly `exponent` digits after the decimal point. */
export function formatAmount(amountMinor: bigint, exponent: number): string {
  const sign = amountMinor < 0n ? "-" : "";
  const digits = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(exponent + 1, "0");
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
