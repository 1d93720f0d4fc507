import { describe, expect, test } from "vitest";
import { median, percentile } from "./statistics.ts";

const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("percentile", () => {
  test.each([
    { count: 100, percent: 99, expected: 99 },
    { count: 100, percent: 100, expected: 100 },
    { count: 100, percent: 50, expected: 50 },
    { count: 100, percent: 0, expected: 1 },
    { count: 101, percent: 99, expected: 100 },
    { count: 99, percent: 99, expected: 99 },
    { count: 1, percent: 99, expected: 1 },
  ])("p$percent of the samples 1 to $count is $expected", ({ count, percent, expected }) => {
    expect(percentile(oneTo(count), percent)).toBe(expected);
  });

  test("sorts the samples as numbers and leaves the array unchanged", () => {
    const samples = [100, 9, 20];
    expect(percentile(samples, 100)).toBe(100);
    expect(samples).toEqual([100, 9, 20]);
  });

  test("is NaN without samples", () => {
    expect(percentile([], 99)).toBeNaN();
  });
});

test("the median of an even number of samples is the lower one of the two in the middle", () => {
  expect([median([1, 2, 3]), median([4, 1, 3, 2])]).toEqual([2, 2]);
});
