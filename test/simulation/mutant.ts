import type { Edit } from "./ledger.ts";

/** A version of the ledger with a small bug of the kind that passes a review. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
}

type Change = readonly [search: string, replace: string];

export function edits(file: string, changes: readonly Change[]): Edit[] {
  return changes.map(([search, replace]) => ({ file, search, replace }));
}

export function mutant(name: string, file: string, ...changes: readonly Change[]): Mutant {
  return { name, edits: edits(file, changes) };
}
