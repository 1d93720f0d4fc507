import type { Transaction, TransactionType, Wallet } from "../../../packages/client/src/index.ts";
import { isZero } from "./amount.ts";

/** What was found, and whether there can be more than the console reads. */
export interface Referring {
  readonly transactions: readonly Transaction[];
  readonly isComplete: boolean;
}

const PAGES_MAX = 5;

/** The types that can refer to a transaction, if any has done so with an effect. */
export function referringTypes(transaction: Transaction): readonly TransactionType[] {
  if (transaction.type === "hold") {
    const { status, remaining } = transaction.hold;
    const isUntouched = status === null || (status === "open" && remaining === transaction.amount);
    return isUntouched ? [] : ["capture", "release", "expiry"];
  }
  const isReversed = "reversed" in transaction && transaction.reversed !== null && !isZero(transaction.reversed);
  return isReversed ? ["reversal"] : [];
}

/** Finds what captured, freed or reversed a transaction, oldest first. Reads only a part of a very long history. */
export async function findReferring(wallet: Wallet, transaction: Transaction, signal: AbortSignal): Promise<Referring> {
  const { id, decidedAt } = transaction;
  const found: Transaction[] = [];
  let isComplete = true;
  for (const type of referringTypes(transaction)) {
    const query = { type, status: "posted", from: decidedAt ?? undefined, limit: 100, signal } as const;
    let pages = 0;
    for await (const { data, nextCursor } of wallet.transactions(query).pages()) {
      found.push(...data.filter((each) => "refersTo" in each && each.refersTo === id));
      if (++pages < PAGES_MAX) continue;
      isComplete &&= nextCursor === null;
      break;
    }
  }
  return { transactions: found.sort((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0)), isComplete };
}
