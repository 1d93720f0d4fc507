import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAmount, MINOR_UNITS_MAX, parseAmount } from "./money.ts";

const NINES = "9".repeat(36);
const rejected = (problem: string) => ({ ok: false, problem });

describe("parseAmount", () => {
  it.each([
    ["12.34", 2, 1234n],
    ["12.3", 2, 1230n],
    ["12", 2, 1200n],
    ["0.01", 2, 1n],
    ["0.1", 2, 10n],
    ["1", 0, 1n],
    ["1000", 0, 1000n],
    ["0.001", 3, 1n],
    ["1.5", 3, 1500n],
    ["0.00000001", 8, 1n],
    ["21000000", 8, 2_100_000_000_000_000n],
    ["0.000000000000000001", 18, 1n],
    ["1.000000000000000001", 18, 1_000_000_000_000_000_001n],
    [NINES, 0, MINOR_UNITS_MAX],
    [`${"9".repeat(34)}.99`, 2, MINOR_UNITS_MAX],
    [`${"9".repeat(33)}.999`, 3, MINOR_UNITS_MAX],
    [`${"9".repeat(28)}.${"9".repeat(8)}`, 8, MINOR_UNITS_MAX],
    [`${"9".repeat(18)}.${"9".repeat(18)}`, 18, MINOR_UNITS_MAX],
  ])("reads %s with exponent %i as %s minor units", (decimal, exponent, amountMinor) => {
    expect(parseAmount(decimal, exponent)).toEqual({ ok: true, amountMinor });
  });

  it.each([
    ...["", " ", " 1", "1 ", "1\n", "1\u0000", "null", "NaN", "Infinity"],
    ...["1e3", "1E3", "+1", "-1", "-0", "01", "00", "00.1", ".5", "1.", ".", "1.2.3"],
    ...["0x1", "0b1", "1n", "1_0", "1,000", "١", "１", "½"],
  ])("rejects %j, which is not a plain decimal", (decimal) => {
    for (const exponent of [0, 2, 18]) expect(parseAmount(decimal, exponent)).toEqual(rejected("amount_invalid"));
  });

  it.each([
    ["1.0", 0, "amount_scale"],
    ["1.5", 0, "amount_scale"],
    ["1.234", 2, "amount_scale"],
    ["1.230", 2, "amount_scale"],
    ["1.0001", 3, "amount_scale"],
    ["0.000000001", 8, "amount_scale"],
    ["0.0000000000000000001", 18, "amount_scale"],
    ["0", 0, "amount_zero"],
    ["0", 2, "amount_zero"],
    ["0.0", 2, "amount_zero"],
    ["0.00", 2, "amount_zero"],
    ["0.000000000000000000", 18, "amount_zero"],
    // More than 36 digits in minor units.
    [`1${"0".repeat(36)}`, 0, "amount_limit"],
    [`1${"0".repeat(34)}`, 2, "amount_limit"],
    [`1${"0".repeat(34)}.00`, 2, "amount_limit"],
    [`1${"0".repeat(18)}`, 18, "amount_limit"],
    ["9".repeat(80), 0, "amount_limit"],
    ["9".repeat(81), 0, "amount_invalid"],
    // The first problem that applies wins: invalid, then scale, then zero, then limit.
    ["-0.000", 2, "amount_invalid"],
    ["0.000", 2, "amount_scale"],
    [`${NINES}.000`, 2, "amount_scale"],
    [`${NINES}.00`, 2, "amount_limit"],
  ])("rejects %s with exponent %i because of %s", (decimal, exponent, problem) => {
    expect(parseAmount(decimal, exponent)).toEqual(rejected(problem));
  });

  it("reads no string longer than 80 characters", () => {
    expect(parseAmount(`0.${"0".repeat(1_000_000)}`, 2)).toEqual(rejected("amount_invalid"));
  });
});

describe("formatAmount", () => {
  it.each([
    [0n, 0, "0"],
    [0n, 2, "0.00"],
    [0n, 18, "0.000000000000000000"],
    [1n, 0, "1"],
    [1n, 2, "0.01"],
    [1n, 3, "0.001"],
    [1n, 8, "0.00000001"],
    [10n, 2, "0.10"],
    [100n, 2, "1.00"],
    [1234n, 2, "12.34"],
    [-1n, 2, "-0.01"],
    [-1234n, 2, "-12.34"],
    [-7n, 0, "-7"],
    [MINOR_UNITS_MAX, 0, NINES],
    [MINOR_UNITS_MAX, 2, `${"9".repeat(34)}.99`],
    [MINOR_UNITS_MAX, 18, `${"9".repeat(18)}.${"9".repeat(18)}`],
  ])("prints %s minor units with exponent %i as %s", (amountMinor, exponent, decimal) => {
    expect(formatAmount(amountMinor, exponent)).toBe(decimal);
  });
});

describe("parseAmount and formatAmount", () => {
  const exponents = fc.integer({ min: 0, max: 18 });
  // Evenly over the number of digits, not over the numbers: nearly all of those have 36.
  const amounts = fc
    .integer({ min: 1, max: 36 })
    .chain((digits) => fc.bigInt({ min: 10n ** BigInt(digits - 1), max: 10n ** BigInt(digits) - 1n }));

  it("are inverse for every exponent and every amount of up to 36 digits", () => {
    fc.assert(
      fc.property(amounts, exponents, (amountMinor, exponent) => {
        expect(parseAmount(formatAmount(amountMinor, exponent), exponent)).toEqual({ ok: true, amountMinor });
      }),
      { numRuns: 2000 },
    );
  });

  it("accept only strings that are formatted as themselves, apart from trailing zeros", () => {
    const nearlyDecimals = fc.string({
      unit: fc.constantFrom(..."0123456789.", "-", "+", "e", " ", "_", "x", ",", "٣"),
      maxLength: 12,
    });
    fc.assert(
      fc.property(nearlyDecimals, exponents, (decimal, exponent) => {
        const parsed = parseAmount(decimal, exponent);
        if (!parsed.ok) return;
        const [whole = "", fraction = ""] = decimal.split(".");
        const full = exponent === 0 ? whole : `${whole}.${fraction.padEnd(exponent, "0")}`;
        expect(formatAmount(parsed.amountMinor, exponent)).toBe(full);
        expect(decimal.endsWith(".")).toBe(false);
      }),
      { numRuns: 5000 },
    );
  });
});
