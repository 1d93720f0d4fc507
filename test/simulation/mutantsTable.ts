import { readFile, writeFile } from "node:fs/promises";
import type { Mutant } from "./mutant.ts";

const TABLE = new URL("../../docs/reference/mutants.md", import.meta.url);

export interface Caught {
  readonly mutant: Mutant;
  readonly seed: number;
  readonly invariant: string;
}

const HEAD = `# Mutants

Versions of the ledger with one small bug each, made by the test run, and the first seed of the simulator that catches each.
This table is written by \`npm run simulate -- --mutants\`; \`npm test\` checks that every one is still caught.

| mutant | file | seed | invariant |
|---|---|---|---|
`;

/** The seed that caught each mutant when the table was written. */
export async function readSeeds(): Promise<Map<string, number>> {
  const text = await readFile(TABLE, "utf8").catch(() => "");
  const rows = text.matchAll(/^\| ([^|]+) \| [^|]+ \| (\d+) \|/gm);
  return new Map([...rows].map(([, name = "", seed]) => [name, Number(seed)]));
}

export async function writeTable(caught: readonly Caught[]): Promise<void> {
  await writeFile(TABLE, HEAD + caught.map(row).join(""));
}

export function row({ mutant, seed, invariant }: Caught): string {
  const files = [...new Set(mutant.edits.map(({ file }) => `\`${file}\``))].join(", ");
  return `| ${mutant.name} | ${files} | ${seed} | ${invariant} |\n`;
}
