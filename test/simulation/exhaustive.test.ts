import { afterAll, beforeAll, expect, test } from "vitest";
import { HISTORY_NAMES, smallHistory } from "./exhaustive.ts";
import { Workers } from "./workers.ts";

let workers: Workers;
beforeAll(() => {
  workers = new Workers();
});
afterAll(() => workers.close());

test.each(HISTORY_NAMES)("%s survive a crash at every await, and at every pair of awaits", async (history) => {
  const { awaits, broken, decided } = await workers.do({ kind: "plan", plan: smallHistory(history, []) });
  expect(broken).toBeUndefined();
  const results = await Promise.all(
    Array.from({ length: awaits }, (_, index) => workers.do({ kind: "crashes", history, first: index + 1 })),
  );
  expect(results.flatMap((result) => result.broken ?? [])).toEqual([]);
  const runs = results.reduce((sum, result) => sum + result.runs, 0);
  expect(decided).toBe(9);
  expect(awaits).toBeGreaterThan(50);
  expect(runs).toBeGreaterThan((awaits * awaits) / 3);
  process.stdout.write(`${history}: ${awaits} awaits, ${runs} histories with one or two crashes\n`);
});
