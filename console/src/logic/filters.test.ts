import { expect, test } from "vitest";
import { hasFilters, historyQuery, periodOf, periodUntil, readFilters, writeFilters } from "./filters.ts";

test("filters survive the URL", () => {
  const filters = { type: "deposit", currency: "USD", status: "posted", from: "2026-11-01", to: "2026-11-30" };
  expect(readFilters(new URLSearchParams(writeFilters(filters)))).toEqual(filters);
});

test("no filters leave no query", () => {
  const filters = readFilters(new URLSearchParams("type=&other=1"));
  expect(hasFilters(filters)).toBe(false);
  expect(writeFilters(filters)).toBe("");
});

test("a period includes its last day", () => {
  const { from = "", to = "" } = periodOf({ from: "2026-11-29", to: "2026-11-30" });
  expect(new Date(from)).toEqual(new Date(2026, 10, 29));
  expect(new Date(to)).toEqual(new Date(2026, 11, 1));
});

test("what someone typed into the URL is no filter", () => {
  expect(
    historyQuery(readFilters(new URLSearchParams("type=toString&status=pending&from=yesterday&to=9-9-9"))),
  ).toEqual({
    type: undefined,
    currency: undefined,
    status: undefined,
  });
});

test("the period of a statement does not end in the future", () => {
  const noon = new Date(2026, 10, 30, 12).getTime();
  expect(periodUntil({ from: "", to: "2026-11-29" }, noon)).toEqual({ to: new Date(2026, 10, 30).toISOString() });
  expect(periodUntil({ from: "", to: "2026-11-30" }, noon)).toEqual({});
});
