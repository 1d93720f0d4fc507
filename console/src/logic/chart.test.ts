import { expect, test } from "vitest";
import { chartOf, stepsOf } from "./chart.ts";

const at = (second: number) => new Date(second * 1000).toISOString();

test("a balance is drawn as steps, the latest up to the end of the period", () => {
  const steps = [
    { at: at(0), balance: "0.00" },
    { at: at(10), balance: "10.00" },
    { at: at(30), balance: "5.00" },
  ];
  expect(chartOf(steps, at(40), 400, 100)).toEqual({
    line: "M0 100H100V0H300V50H400",
    area: "M0 100H100V0H300V50H400V100H0Z",
    minimum: "0.00",
    maximum: "10.00",
  });
});

test("a difference in the last of 38 digits is visible", () => {
  const whole = "999999999999999999999999999999999999";
  const steps = [
    { at: at(0), balance: `${whole}.98` },
    { at: at(1), balance: `${whole}.99` },
  ];
  expect(chartOf(steps, at(2), 200, 100)).toMatchObject({ line: "M0 100H100V0H200", minimum: `${whole}.98` });
});

test("a balance that never changes is a line at the top, and zero one at the bottom", () => {
  expect(chartOf([{ at: at(0), balance: "7" }], at(1), 10, 10)).toMatchObject({ line: "M0 0H10", minimum: "0" });
  expect(chartOf([{ at: at(0), balance: "0" }], at(1), 10, 10)).toMatchObject({ line: "M0 10H10", maximum: "0" });
});

test("a period of no length and an empty one are drawn too", () => {
  expect(chartOf([{ at: at(0), balance: "7" }], at(0), 10, 10)?.line).toBe("M0 0H10");
  expect(chartOf([], at(0), 10, 10)).toBeUndefined();
});

test("a statement starts with its opening balance, at the start of the period or at the first line", () => {
  const lines = [{ decidedAt: at(5), balance: "12.00" }];
  expect(stepsOf("10.00", at(1), lines)).toEqual([
    { at: at(1), balance: "10.00" },
    { at: at(5), balance: "12.00" },
  ]);
  expect(stepsOf("10.00", undefined, lines)[0]).toEqual({ at: at(5), balance: "10.00" });
  expect(stepsOf("10.00", undefined, [])).toEqual([]);
});
