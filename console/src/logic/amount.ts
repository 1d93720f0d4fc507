/** Arithmetic on the API's decimal strings, without floating point. All amounts of one currency have the same decimals. */

/** @returns the amount in minor units */
export function toMinor(amount: string): bigint {
  return BigInt(amount.replace(".", ""));
}

/** @returns the number of decimals */
function decimalsOf(amount: string): number {
  return amount.split(".")[1]?.length ?? 0;
}

export function isZero(amount: string): boolean {
  return toMinor(amount) === 0n;
}

export function isNegative(amount: string): boolean {
  return toMinor(amount) < 0n;
}

/** @returns the sum, with the decimals of the first amount; of none it is 0 */
export function sum(amounts: readonly string[]): string {
  const minor = amounts.reduce((total, amount) => total + toMinor(amount), 0n);
  return toDecimal(minor, decimalsOf(amounts[0] ?? "0"));
}

/** @returns `a` − `b` */
export function subtract(a: string, b: string): string {
  return toDecimal(toMinor(a) - toMinor(b), decimalsOf(a));
}

function toDecimal(minor: bigint, decimals: number): string {
  const sign = minor < 0n ? "-" : "";
  const digits = String(minor < 0n ? -minor : minor).padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return decimals === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
