import { expect, test } from "vitest";
import { usualCurrency } from "./usualCurrency.ts";

const currency = (code: string) => ({ code, name: code, exponent: 2 });
const balance = (code: string, amount: string) => ({ currency: code, amount, held: "0.00", available: amount });

test("a currency with money comes first, then USD, then any", () => {
  const currencies = [currency("BTC"), currency("EUR"), currency("USD")];
  expect(usualCurrency(currencies, [balance("BTC", "0.00"), balance("EUR", "0.01")])).toBe("EUR");
  expect(usualCurrency(currencies, [balance("EUR", "0.00")])).toBe("USD");
  expect(usualCurrency(currencies.slice(0, 2), [])).toBe("BTC");
  expect(usualCurrency([], [])).toBe("");
});
