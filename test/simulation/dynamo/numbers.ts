/** DynamoDB's numbers: decimals of up to 38 digits. */
interface Decimal {
  readonly digits: bigint;
  /** Power of ten of the last digit. */
  readonly exponent: number;
}

const DIGITS_MAX = 38;
const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** @throws RangeError with DynamoDB's message for a number that DynamoDB rejects */
function parse(text: string): Decimal {
  const match = NUMBER.exec(text);
  const [, sign = "", whole = "", fraction = "", power = "0"] = match ?? [];
  if (!match || whole + fraction === "") {
    throw new RangeError(`The parameter cannot be converted to a numeric value: ${text}`);
  }
  let digits = BigInt(`${whole}${fraction}`);
  let exponent = Number(power) - fraction.length;
  if (digits === 0n) return { digits: 0n, exponent: 0 };
  while (digits % 10n === 0n) {
    digits /= 10n;
    exponent++;
  }
  if (digits.toString().length > DIGITS_MAX) {
    throw new RangeError("Attempting to store more than 38 significant digits in a Number");
  }
  if (digits.toString().length + exponent > 126) throw new RangeError("Number overflow");
  return { digits: sign === "-" ? -digits : digits, exponent };
}

/** The format of numbers in responses: no exponent, no redundant zero. */
export function normalizeNumber(text: string): string {
  const { digits, exponent } = parse(text);
  if (exponent >= 0) return (digits * 10n ** BigInt(exponent)).toString();
  const sign = digits < 0n ? "-" : "";
  const padded = (digits < 0n ? -digits : digits).toString().padStart(1 - exponent, "0");
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/** Negative, zero or positive, as in a comparator. */
export function compareNumbers(a: string, b: string): number {
  const left = parse(a);
  const right = parse(b);
  const exponent = Math.min(left.exponent, right.exponent);
  const difference =
    left.digits * 10n ** BigInt(left.exponent - exponent) - right.digits * 10n ** BigInt(right.exponent - exponent);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
