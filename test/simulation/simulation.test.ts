import { afterAll, beforeAll, expect, test } from "vitest";
import { REGRESSIONS } from "./regressions.ts";
import { Workers } from "./workers.ts";

const SEEDS = 100;
const SEEDS_A_JOB = 25;

let workers: Workers;
beforeAll(() => {
  workers = new Workers();
});
afterAll(() => workers.close());

test(`every promise holds in ${SEEDS} seeds`, async () => {
  const starts = Array.from({ length: SEEDS / SEEDS_A_JOB }, (_, index) => 1 + index * SEEDS_A_JOB);
  const results = await Promise.all(starts.map((from) => workers.do({ kind: "seeds", from, count: SEEDS_A_JOB })));
  // Replay one with: npm run simulate -- --seed S
  expect(results.flatMap(({ broken }) => broken ?? [])).toEqual([]);
  expect(results.reduce((sum, { runs }) => sum + runs, 0)).toBe(SEEDS);
  // Guards against a simulator in which nothing happens.
  expect(results.reduce((sum, { decided }) => sum + decided, 0)).toBeGreaterThan(5 * SEEDS);
  expect(results.reduce((sum, { faults }) => sum + faults, 0)).toBeGreaterThan(5 * SEEDS);
});

test.each(REGRESSIONS)("the history of an old bug holds, and breaks with it: $mutant", async ({ plan, mutant }) => {
  expect(await workers.do({ kind: "plan", plan })).toMatchObject({ runs: 1, broken: undefined });
  expect((await workers.do({ kind: "plan", plan, mutant })).broken).toBeDefined();
});

test("the same seed gives the very same run, whatever ran before it and wherever", async () => {
  const [alone] = (await workers.do({ kind: "seeds", from: 42, count: 1 })).digests;
  const others = new Workers(1);
  const after = await others.do({ kind: "seeds", from: 33, count: 10 }).finally(() => others.close());
  expect(after.digests.at(-1)).toBe(alone);
  expect(new Set(after.digests).size).toBe(10);
});
