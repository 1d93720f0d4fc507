import { expect, test } from "vitest";
import { isNegative, isZero, subtract, sum, toMinor } from "./amount.ts";

test("an amount of 38 digits is exact in minor units", () => {
  expect(toMinor("999999999999999999999999999999999999.99")).toBe(99999999999999999999999999999999999999n);
});

test.each([
  ["10.00", "2.50", "7.50"],
  ["1.00", "1.05", "-0.05"],
  ["5", "7", "-2"],
  ["0.00000001", "0.00000001", "0.00000000"],
  ["999999999999999999999999999999999999.99", "0.01", "999999999999999999999999999999999999.98"],
])("%s minus %s is %s", (a, b, difference) => {
  expect(subtract(a, b)).toBe(difference);
});

test("the sign of an amount between -1 and 0 counts", () => {
  expect(isNegative("-0.01")).toBe(true);
  expect(isZero("-0.00")).toBe(true);
  expect(isNegative("0.00")).toBe(false);
});

test("a sum is exact, and of nothing it is 0", () => {
  expect(sum(["99999999999999999.99", "0.01", "-0.02"])).toBe("99999999999999999.98");
  expect(sum([])).toBe("0");
});
