import type { QueryCommandInput, ScanCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Transaction } from "../domain/transaction.ts";
import { UnreadableItem } from "../ledger/ports.ts";
import type { LedgerReader } from "../ledger/verify.ts";
import { setting } from "../runtime/config.ts";
import { toStatus, toTransaction, toWallet } from "./items.ts";
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
    for await (const item of query(input)) yield toTransaction(item);
  },
  async consistentHistory(userId) {
    const decided = [];
    for await (const item of query({ ...ofUser(userId), ConsistentRead: true })) {
      const transaction = toTransaction(item);
      if (transaction.decision) decided.push({ transaction, sequence: transaction.decision.sequence });
    }
    return decided.sort((a, b) => a.sequence - b.sequence).map(({ transaction }) => transaction);
  },
  async *statuses() {
    const input: ScanCommandInput = {
      TableName: setting("TRANSACTIONS_TABLE"),
      ProjectionExpression: "userId, id, #status",
      ExpressionAttributeNames: { "#status": "status" },
      ConsistentRead: true,
    };
    for await (const item of scan(input)) yield orUnreadable(() => toStatus(item));
  },
};

/**
 * Every undecided transaction that was accepted before a time, in no order.
 *
 * @param createdBefore ISO 8601, UTC
 */
export async function* pendingTransactions(createdBefore: string): AsyncGenerator<Transaction> {
  const input: ScanCommandInput = {
    TableName: setting("TRANSACTIONS_TABLE"),
    FilterExpression: "#status = :pending AND createdAt < :before",
    ExpressionAttributeNames: { "#status": "status" },
    ExpressionAttributeValues: { ":pending": "pending", ":before": createdBefore },
    ConsistentRead: true,
  };
  for await (const item of scan(input)) yield toTransaction(item);
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
    ExpressionAttributeValues: { ":userId": userId },
  };
}
