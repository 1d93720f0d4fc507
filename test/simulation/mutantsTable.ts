import { readFile, writeFile } from "node:fs/promises";
import type { Mutant } from "./mutants.ts";

const TABLE = new URL("../../docs/reference/mutants.md", import.meta.url);

export interface Caught {
  readonly bug: Mutant;
  readonly seed: number;
  readonly invariant: string;
}

const HEAD = `# Mutants

Small wrong versions of the ledger, each made by the test run itself, and the first seed of the simulator that catches it.
This table is written by \`npm run simulate -- --mutants\`; \`npm test\` checks that every one is still caught.

| bug | file | seed | invariant |
|---|---|---|---|
`;

/** The seed that caught each bug when the table was written. */
export async function readSeeds(): Promise<Map<string, number>> {
  const text = await readFile(TABLE, "utf8").catch(() => "");
  const rows = text.matchAll(/^\| ([^|]+) \| [^|]+ \| (\d+) \|/gm);
  return new Map([...rows].map(([, name = "", seed]) => [name, Number(seed)]));
}

export async function writeTable(caught: readonly Caught[]): Promise<void> {
  await writeFile(TABLE, HEAD + caught.map(row).join(""));
}

export function row({ bug, seed, invariant }: Caught): string {
  const files = [...new Set(bug.edits.map(({ file }) => `\`${file}\``))].join(", ");
  return `| ${bug.name} | ${files} | ${seed} | ${invariant} |\n`;
}
