import { afterAll, beforeAll, expect, test } from "vitest";
import { sameCrash, smallHistory } from "./exhaustive.ts";
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
  // The reason for leaving a pair out: its crashes make the very same history as those of another pair.
  const digests = results.map((result) => result.digests[0]);
  const first = awaits.map((_, index) => (sameCrash(awaits, index + 1) ?? index + 1) - 1);
  expect(digests).toEqual(first.map((index) => digests[index]));
  const distinct = new Set(first).size;
  const runs = results.reduce((sum, result) => sum + result.runs, 0);
  expect(decided).toBe(9);
  expect(awaits.length).toBeGreaterThan(100);
  expect(new Set(digests).size).toBe(distinct);
  expect(runs).toBeGreaterThan((distinct * distinct) / 6);
  process.stdout.write(
    `${awaits.length} awaits, ${distinct} different crashes, ${runs} histories with one or two of them\n`,
  );
});
