import { expect, test } from "vitest";
import { parseMetadata } from "./metadata.ts";

test("each line is a pair, and a value can contain an equals sign", () => {
  expect(parseMetadata("orderId = A-1001\n\n note=1 + 1 = 2 \n")).toEqual({
    metadata: { orderId: "A-1001", note: "1 + 1 = 2" },
  });
});

test("no pairs are no metadata", () => {
  expect(parseMetadata(" \n")).toEqual({});
});

test.each([
  ["orderId", /one pair a line/],
  ["= value", /one pair a line/],
  ["two words = value", /one pair a line/],
  ["__proto__ = value", /one pair a line/],
  ["a = 1\na = 2", /twice/],
  [`a = ${"x".repeat(501)}`, /more than 500/],
  [Array.from({ length: 51 }, (_, i) => `k${i} = 1`).join("\n"), /at most 50/],
])("%j is refused with a sentence", (typed, error) => {
  expect(parseMetadata(typed)).toEqual({ error: expect.stringMatching(error) });
});
