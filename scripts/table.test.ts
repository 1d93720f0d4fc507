import { expect, test } from "vitest";
import { table } from "./table.ts";

test("prints the keys as titles, numbers to the right with three significant digits, and NaN as an empty cell", () => {
  const rows = [
    { name: "W1", "per second": 569.6, p99: 12.34, errors: 0, posted: Number.NaN },
    { name: "one wallet", "per second": 8.1234, p99: 9, errors: 1234, posted: 14.5 },
  ];
  expect(table(rows)).toBe(
    [
      "| name       | per second |  p99 | errors | posted |",
      "| ---------- | ---------: | ---: | -----: | -----: |",
      "| W1         |        570 | 12.3 |      0 |        |",
      "| one wallet |       8.12 |    9 |   1234 |   14.5 |",
    ].join("\n"),
  );
});

test("is empty without rows", () => {
  expect(table([])).toBe("");
});
