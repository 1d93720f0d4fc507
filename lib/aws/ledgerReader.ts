import type { QueryCommandInput, ScanCommandInput } from "@aws-sdk/client-dynamodb";
import { type DecidedTransaction, isDecided, type Transaction } from "../domain/transaction.ts";
import { isLinked } from "../ledger/links.ts";
import { UnreadableItem } from "../ledger/ports.ts";
import type { LedgerReader } from "../ledger/verify.ts";
import { setting } from "../runtime/config.ts";
import { text, toStatus, toTransaction, toWallet } from "./items.ts";
import { query, scan } from "./scan.ts";
import { dynamoStore } from "./store.ts";

/** Reads the tables completely. */
export const dynamoLedgerReader: LedgerReader = {
  async *wallets() {
    const input = { TableName: setting("WALLETS_TABLE"), ConsistentRead: true };
    for await (const item of scan(input)) yield orUnreadable(() => toWallet(item));
  },
  wallet: dynamoStore.readWallet,
  async *history(userId) {
    const input = { ...ofUser(userId), IndexName: "history" };
    for await (const item of query(input)) {
      const transaction = toTransaction(item);
      if (isDecided(transaction)) yield transaction;
    }
  },
  async consistentHistory(userId) {
    const decided: DecidedTransaction[] = [];
    for await (const item of query({ ...ofUser(userId), ConsistentRead: true })) {
      const transaction = toTransaction(item);
      if (isDecided(transaction)) decided.push(transaction);
    }
    return decided.sort((a, b) => a.decision.sequence - b.decision.sequence);
  },
  transactions: dynamoStore.findTransactions,
  async *statuses() {
    const input: ScanCommandInput = { TableName: setting("TRANSACTIONS_TABLE"), ConsistentRead: true };
    for await (const item of scan(input)) {
      yield orUnreadable(() => {
        const { userId, status, type } = toStatus(item);
        const isNeeded = status === "pending" || isLinked({ type });
        return { userId, status, transaction: isNeeded ? toTransaction(item) : undefined };
      });
    }
  },
};

/**
 * Every undecided transaction that was accepted before a time, in no order, and every undecided one that is unreadable.
 *
 * @param createdBefore ISO 8601, UTC
 */
export async function* pendingTransactions(createdBefore: string): AsyncGenerator<Transaction | UnreadableItem> {
  const input: ScanCommandInput = {
    TableName: setting("TRANSACTIONS_TABLE"),
    FilterExpression: "#status = :pending",
    ExpressionAttributeNames: { "#status": "status" },
    ExpressionAttributeValues: { ":pending": text("pending") },
    ConsistentRead: true,
  };
  for await (const item of scan(input)) {
    const read = orUnreadable(() => toTransaction(item));
    if (read instanceof UnreadableItem || read.createdAt < createdBefore) yield read;
  }
}

function orUnreadable<T>(read: () => T): T | UnreadableItem {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableItem) return error;
    throw error;
  }
}

function ofUser(userId: string): QueryCommandInput {
  return {
    TableName: setting("TRANSACTIONS_TABLE"),
    KeyConditionExpression: "userId = :userId",
    ExpressionAttributeValues: { ":userId": text(userId) },
  };
}
