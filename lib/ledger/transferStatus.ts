import { emittedOf } from "../domain/emitted.ts";
import { statusOf, type Transaction } from "../domain/transaction.ts";
import type { LedgerStore, TransactionKey } from "./ports.ts";

/** Where the money of a transfer is: between the wallets, in the receiver's, or back in the sender's. */
export const TRANSFER_STATUSES = ["in_transit", "credited", "returned"] as const;
export type TransferStatus = (typeof TRANSFER_STATUSES)[number];

/** True for a posted transaction that sent money to another wallet. */
export function sendsMoney(transaction: Transaction): boolean {
  return statusOf(transaction) === "posted" && emittedOf(transaction) !== undefined;
}

/**
 * The status of the transfers among some transactions, by id: of everything that is posted and sent money to another wallet.
 * It takes one read, and a second one if a receiver rejected a credit.
 */
export async function readTransferStatuses(
  transactions: readonly Transaction[],
  store: Pick<LedgerStore, "findTransactions">,
): Promise<ReadonlyMap<string, TransferStatus>> {
  const credits = await findAll(transactions.filter(sendsMoney), store);
  const returns = await findAll(
    [...credits.values()].filter((credit) => statusOf(credit) === "rejected"),
    store,
  );
  return new Map(
    [...credits].map(([id, credit]) => {
      if (statusOf(credit) === "posted") return [id, "credited"];
      const back = returns.get(credit.id);
      return [id, back && statusOf(back) === "posted" ? "returned" : "in_transit"];
    }),
  );
}

/** The credits that transactions emitted, by the id of the transaction. */
async function findAll(
  transactions: readonly Transaction[],
  store: Pick<LedgerStore, "findTransactions">,
): Promise<ReadonlyMap<string, Transaction>> {
  const keys = new Map<string, TransactionKey>();
  for (const transaction of transactions) {
    const emitted = emittedOf(transaction);
    if (emitted) keys.set(transaction.id, emitted);
  }
  const found = keys.size > 0 ? await store.findTransactions([...keys.values()]) : [];
  const byId = new Map(found.map((credit) => [credit.id, credit]));
  return new Map(
    [...keys].flatMap(([id, key]) => {
      const credit = byId.get(key.id);
      return credit ? [[id, credit] as const] : [];
    }),
  );
}
