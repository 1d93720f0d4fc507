import { AntlerError } from "./errors.ts";

/**
 * An amount as people of a locale write it. Exact for every amount, and with all its decimals.
 *
 * @param amount a decimal string of the API
 * @param currency a code of the API, also one that is no ISO 4217 code
 * @param locale BCP 47, such as `de-CH`; by default that of the runtime
 * @throws AntlerError `invalid_argument`
 * @example
 * ```ts
 * formatAmount("1234.50", "EUR", "de-DE"); // "1.234,50 €"
 * formatAmount("0.00000001", "BTC", "en"); // "BTC 0.00000001"
 * ```
 */
export function formatAmount(amount: string, currency: string, locale?: string): string {
  if (!isDecimal(amount)) throw new AntlerError("invalid_argument", `${amount} is not a decimal string`);
  const decimals = amount.split(".")[1]?.length ?? 0;
  // Intl knows only codes of three letters. For others it places the code of no currency, which the code replaces.
  const isKnown = /^[A-Z]{3}$/i.test(currency);
  const format = new Intl.NumberFormat(locale, {
    style: "currency",
    currency: isKnown ? currency : "XXX",
    currencyDisplay: isKnown ? "symbol" : "code",
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  const parts = format.formatToParts(amount);
  return parts.map(({ type, value }) => (type === "currency" && !isKnown ? currency : value)).join("");
}

function isDecimal(text: string): text is `${number}` {
  return /^-?\d+(\.\d+)?$/.test(text);
}
