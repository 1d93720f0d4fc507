import type { Transaction } from "../../../packages/client/src/index.ts";

/** Adds transactions that were read again or have arrived. @returns each one once, as it was read last, newest first */
export function mergeHistory(known: readonly Transaction[], read: readonly Transaction[]): readonly Transaction[] {
  const byId = new Map([...known, ...read].map((transaction) => [transaction.id, transaction]));
  return [...byId.values()].sort((a, b) => (b.sequence ?? 0) - (a.sequence ?? 0));
}

/** @returns those of the transactions that are not known yet */
export function findNew(known: readonly Transaction[], read: readonly Transaction[]): readonly Transaction[] {
  const ids = new Set(known.map(({ id }) => id));
  return read.filter(({ id }) => !ids.has(id));
}
