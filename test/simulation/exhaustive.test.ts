import { afterAll, beforeAll, expect, test } from "vitest";
import { isInPairs, sameCrash, smallHistory } from "./exhaustive.ts";
import { Workers } from "./workers.ts";

let workers: Workers;
beforeAll(() => {
  workers = new Workers();
});
afterAll(() => workers.close());

test("a transfer, a promised hold and a refund, and their events, survive a crash at every await and at every pair of awaits that leave different things, those of the publisher among themselves", async () => {
  const { awaits, broken, decided } = await workers.do({ kind: "plan", plan: smallHistory([]) });
  expect(broken).toBeUndefined();
  const results = await Promise.all(awaits.map((_, index) => workers.do({ kind: "crashes", first: index + 1 })));
  expect(results.flatMap((result) => result.broken ?? [])).toEqual([]);
  // A reason for leaving a pair out: its crashes make the very same history as those of another pair.
  const digests = results.map((result) => result.digests[0]);
  const first = awaits.map((_, index) => (sameCrash(awaits, index + 1) ?? index + 1) - 1);
  expect(digests).toEqual(first.map((index) => digests[index]));
  const distinct = new Set(first).size;
  const runs = results.reduce((sum, result) => sum + result.runs, 0);
  expect(decided).toBe(9);
  expect(awaits.length).toBeGreaterThan(100);
  expect(new Set(digests).size).toBe(distinct);
  const paired = awaits.filter((_, index) => isInPairs(awaits, index + 1)).length;
  expect(paired).toBeGreaterThan(40);
  expect(runs).toBeGreaterThan((paired * paired) / 6);
  process.stdout.write(
    `${awaits.length} awaits, ${distinct} different crashes, of which ${paired} are in pairs, ${runs} histories\n`,
  );
});
