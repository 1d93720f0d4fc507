import { afterAll, beforeAll, expect, test } from "vitest";
import { smallHistory } from "./exhaustive.ts";
import { Workers } from "./workers.ts";

let workers: Workers;
beforeAll(() => {
  workers = new Workers();
});
afterAll(() => workers.close());

test("a transfer, a promised hold and a refund, and their events, survive a crash at every await and at every pair of awaits, those of the publisher among themselves", async () => {
  const { awaits, broken, decided } = await workers.do({ kind: "plan", plan: smallHistory([]) });
  expect(broken).toBeUndefined();
  const results = await Promise.all(awaits.map((_, index) => workers.do({ kind: "crashes", first: index + 1 })));
  expect(results.flatMap((result) => result.broken ?? [])).toEqual([]);
  const runs = results.reduce((sum, result) => sum + result.runs, 0);
  expect(decided).toBe(9);
  expect(awaits.length).toBeGreaterThan(100);
  expect(runs).toBeGreaterThan((awaits.length * awaits.length) / 6);
  process.stdout.write(`${awaits.length} awaits, ${runs} histories with one or two crashes\n`);
});
