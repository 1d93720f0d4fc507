import { describe, expect, it } from "vitest";
import { formatAmount } from "./index.ts";

/** With normal spaces. */
const formatted = (...args: Parameters<typeof formatAmount>) => formatAmount(...args).replaceAll("\u00a0", " ");

describe("formatAmount", () => {
  it.each([
    ["1234.50", "EUR", "de-DE", "1.234,50 €"],
    ["-1234.50", "USD", "en-US", "-$1,234.50"],
    ["0.00", "USD", "en-US", "$0.00"],
    ["1500", "JPY", "en-US", "¥1,500"],
    ["1.234", "KWD", "en-US", "KWD 1.234"],
    ["0.00000001", "BTC", "en-US", "BTC 0.00000001"],
    ["1.50000000", "BTC", "en-US", "BTC 1.50000000"],
    ["1.000000000000000001", "ETH", "de-DE", "1,000000000000000001 ETH"],
    ["12.5", "USDC", "en-US", "USDC 12.5"],
    ["-12.50", "POINTS", "de-DE", "-12,50 POINTS"],
    ["7", "A1", "en-US", "A1 7"],
  ])("writes %s %s in %s as %s", (amount, currency, locale, text) => {
    expect(formatted(amount, currency, locale)).toBe(text);
  });

  it("keeps all 38 digits", () => {
    const digits = "12345678901234567890123456789012345678";
    expect(formatAmount(digits, "JPY", "en-US").replace(/[^\d]/g, "")).toBe(digits);
    const decimals = `${digits.slice(0, 20)}.${digits.slice(20)}`;
    expect(formatAmount(decimals, "ETH", "en-US").replace(/[^\d.]/g, "")).toBe(decimals);
    expect(formatAmount(`-${decimals}`, "USDC", "en-US").replace(/[^\d.-]/g, "")).toBe(`-${decimals}`);
  });

  it.each(["", "abc", "1,5", "1e3", ".5", "1.", "NaN", "Infinity", " 1"])("refuses the amount %j", (amount) => {
    expect(() => formatAmount(amount, "USD")).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });
});
