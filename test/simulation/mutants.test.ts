import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyEdit } from "./ledger.ts";
import { MUTANTS } from "./mutants.ts";
import { type Caught, readSeeds, row } from "./mutantsTable.ts";
import { Workers } from "./workers.ts";

const SEEDS_MAX = 500;

const seeds = await readSeeds();
const caught: Caught[] = [];
let workers: Workers;
beforeAll(() => {
  workers = new Workers();
});
afterAll(async () => {
  await workers.close();
  process.stdout.write(caught.map(row).sort().join(""));
});

test("docs/reference/mutants.md lists exactly these mutants", () => {
  expect([...seeds.keys()]).toEqual(MUTANTS.map(({ name }) => name));
});

test("every mutant finds its code, also where that is formatted in another way", async () => {
  const broken: string[] = [];
  for (const { name, edits } of MUTANTS) {
    const sources = new Map<string, string>();
    for (const edit of edits) {
      const url = new URL(`../../${edit.file}`, import.meta.url);
      const source = sources.get(edit.file) ?? (await readFile(url, "utf8")).replaceAll(/\s+/g, " ");
      try {
        sources.set(edit.file, applyEdit(source, edit));
      } catch (error) {
        broken.push(`${name}: ${error}`);
      }
    }
  }
  expect(broken).toEqual([]);
});

test("a failing history shrinks to at most three operations", async () => {
  const name = "commands of one batch are all decided against its start";
  // Shrinking stops at a local minimum, so the shortest of several counts.
  const shrunk = await Promise.all([5, 6].map((seed) => workers.do({ kind: "shrink", name, seed })));
  const lengths = shrunk.flatMap(({ broken }) => broken?.operations ?? []);
  expect(Math.min(...lengths)).toBeLessThanOrEqual(3);
});

describe.concurrent(`every mutant is caught within ${SEEDS_MAX} seeds`, () => {
  test.each(MUTANTS)("$name", async (mutant) => {
    const { name } = mutant;
    const { broken } = await workers.do({ kind: "mutant", name, firstSeed: seeds.get(name), seedsMax: SEEDS_MAX });
    expect(broken).toBeDefined();
    if (broken) caught.push({ mutant, seed: broken.seed, invariant: broken.violation.invariant });
  });
});
