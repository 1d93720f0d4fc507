import {
  type AttributeValue,
  type CancellationReason,
  ConditionalCheckFailedException,
  TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
} from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { setting } from "../config.ts";
import type { Transaction } from "../domain/transaction.ts";
import type { Wallet } from "../domain/wallet.ts";
import type { Message } from "../ledger/message.ts";
import {
  type Commit,
  type CommitResult,
  type DeadLetterReason,
  type Decided,
  type HistoryPage,
  type HistoryQuery,
  type LedgerStore,
  Unavailable,
} from "../ledger/ports.ts";
import { dynamo } from "./clients.ts";
import { ask, isPassing } from "./errors.ts";
import { toInteger, toPendingItem, toTransaction, toWallet } from "./items.ts";

type WriteItem = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];

/** The ledger's tables. A sparse index `history` orders a user's decided transactions by sequence. */
export const dynamoStore: LedgerStore = {
  putPending,
  findTransaction,
  readWallet,
  readWallets,
  commit,
  readHistory,
};

async function putPending(transaction: Transaction): Promise<Transaction | undefined> {
  try {
    await ask("Put a transaction", () =>
      dynamo.send(
        new PutCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          Item: toPendingItem(transaction),
          ConditionExpression: "attribute_not_exists(id)",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      ),
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException && error.Item)) throw error;
    // The document client leaves the item of an error as it came over the wire.
    return toTransaction(unmarshall(error.Item, { wrapNumbers: toInteger }));
  }
}

async function findTransaction(userId: string, id: string): Promise<Transaction | undefined> {
  const { Item } = await ask("Get a transaction", () =>
    dynamo.send(
      new GetCommand({ TableName: setting("TRANSACTIONS_TABLE"), Key: { userId, id }, ConsistentRead: true }),
    ),
  );
  return Item && toTransaction(Item);
}

async function readWallet(userId: string) {
  const { Item } = await ask("Get a wallet", () =>
    dynamo.send(new GetCommand({ TableName: setting("WALLETS_TABLE"), Key: { userId }, ConsistentRead: true })),
  );
  return Item && toWallet(Item).wallet;
}

async function readWallets(userIds: readonly string[]): Promise<ReadonlyMap<string, Wallet>> {
  const table = setting("WALLETS_TABLE");
  const Keys = userIds.map((userId) => ({ userId }));
  const { Responses, UnprocessedKeys } = await ask("Get wallets", () =>
    dynamo.send(new BatchGetCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } })),
  );
  if (UnprocessedKeys?.[table]) throw new Unavailable("Get wallets: not all of them were read");
  const found = (Responses?.[table] ?? []).map(toWallet);
  return new Map(found.map(({ userId, wallet }) => [userId, wallet]));
}

async function commit(commits: readonly Commit[]): Promise<CommitResult> {
  try {
    await ask("Write folds", () =>
      dynamo.send(
        new TransactWriteCommand({
          TransactItems: commits.flatMap((commit) => [
            walletWrite(commit),
            ...commit.decided.map((decided) => transactionWrite(commit, decided)),
          ]),
        }),
      ),
    );
    return { kind: "committed" };
  } catch (error) {
    if (error instanceof TransactionCanceledException) return whyCancelled(error, commits);
    if (error instanceof Error && error.name === "ValidationException") {
      return { kind: "refused", detail: error.message };
    }
    throw error;
  }
}

function walletWrite({ userId, before, wallet, needMinor, decidedAt }: Commit): WriteItem {
  const needs = [...needMinor].map(([currency, minor], index) => ({
    currency,
    minor,
    name: `#c${index}`,
    value: `:c${index}`,
  }));
  return {
    Update: {
      TableName: setting("WALLETS_TABLE"),
      Key: { userId },
      UpdateExpression: "SET #sequence = :sequence, balances = :balances, updatedAt = :updatedAt",
      ConditionExpression: [
        before ? "#sequence = :before" : "attribute_not_exists(userId)",
        ...needs.map(({ name, value }) => `balances.${name} >= ${value}`),
      ].join(" AND "),
      ExpressionAttributeNames: {
        "#sequence": "sequence",
        ...Object.fromEntries(needs.map(({ name, currency }) => [name, currency])),
      },
      ExpressionAttributeValues: {
        ":sequence": wallet.sequence,
        ":balances": Object.fromEntries(wallet.balances),
        ":updatedAt": decidedAt.toISOString(),
        ...(before && { ":before": before.sequence }),
        ...Object.fromEntries(needs.map(({ value, minor }) => [value, minor])),
      },
    },
  };
}

/** Decides the transaction only if it is pending and what the message says; its user is in the key. */
function transactionWrite({ userId, decidedAt }: Commit, { message, decision }: Decided): WriteItem {
  const { id, sequence, balanceAfterMinor, outcome } = decision;
  const { type, currency, amountMinor } = message.command;
  const [attribute, value] =
    outcome.status === "posted" ? ["postedAt", decidedAt.toISOString()] : ["rejectionCode", outcome.code];
  return {
    Update: {
      TableName: setting("TRANSACTIONS_TABLE"),
      Key: { userId, id },
      UpdateExpression:
        "SET #status = :status, #sequence = :sequence, balanceAfterMinor = :balanceAfterMinor, #outcome = :outcome",
      ConditionExpression: [
        "#status = :pending",
        "#type = :type",
        "currency = :currency",
        "amountMinor = :amountMinor",
        "fingerprint = :fingerprint",
      ].join(" AND "),
      ExpressionAttributeNames: {
        "#status": "status",
        "#type": "type",
        "#sequence": "sequence",
        "#outcome": attribute,
      },
      ExpressionAttributeValues: {
        ":status": outcome.status,
        ":sequence": sequence,
        ":balanceAfterMinor": balanceAfterMinor,
        ":outcome": value,
        ":pending": "pending",
        ":type": type,
        ":currency": currency,
        ":amountMinor": amountMinor,
        ":fingerprint": message.fingerprint,
      },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    },
  };
}

/** The reasons stand in the order of the writes: each wallet's, and behind it its decisions'. */
function whyCancelled(error: TransactionCanceledException, commits: readonly Commit[]): CommitResult {
  const reasons = error.CancellationReasons ?? [];
  const writes = commits.flatMap(({ decided }) => ["wallet", ...decided] as const);
  const settled = new Set<string>();
  const foreign = new Map<string, DeadLetterReason>();
  for (const [index, write] of writes.entries()) {
    const reason = reasons[index];
    if (write === "wallet" || reason?.Code !== "ConditionalCheckFailed") continue;
    const { id } = write.decision;
    if (!reason.Item) foreign.set(id, "unknown_transaction");
    else if (!hasContentOf(write.message, reason.Item)) foreign.set(id, "content_mismatch");
    else settled.add(id);
  }
  if (settled.size > 0 || foreign.size > 0) return { kind: "mismatch", settled, foreign };

  const codes = reasons.flatMap(codeOf);
  const known = codes.length > 0 && codes.every((code) => code === "ConditionalCheckFailed" || isPassing(code));
  return known
    ? { kind: "conflict", reason: codes.join(", ") }
    : { kind: "refused", detail: `${error.message} ${codes.join(", ")}` };
}

/** True when a stored transaction, as it came over the wire, has all of a message's content. */
function hasContentOf({ command, fingerprint }: Message, item: Record<string, AttributeValue>): boolean {
  return (
    item.type?.S === command.type &&
    item.currency?.S === command.currency &&
    item.amountMinor?.N === command.amountMinor.toString() &&
    item.fingerprint?.S === fingerprint
  );
}

function codeOf(reason: CancellationReason): string[] {
  return reason.Code && reason.Code !== "None" ? [reason.Code] : [];
}

/**
 * Items of each read behind a filter, which reads on until the page is full. A wallet of up to 10,000 decisions is read to
 * its end, so none of its empty pages has a cursor. DynamoDB ends a read at 1 MB: items of more than 1 KB lower that
 * number, and a request costs at most 1,664 read units.
 */
const HISTORY_READS_ITEMS = [100, 200, 400, 800, ...Array.from({ length: 9 }, () => 1000)];

async function readHistory(userId: string, query: HistoryQuery): Promise<HistoryPage> {
  const { limit, currency, status } = query;
  const filters = [...(currency ? ["currency = :currency"] : []), ...(status ? ["#status = :status"] : [])];
  const transactions: Transaction[] = [];
  let before = query.beforeSequence;
  for (const items of HISTORY_READS_ITEMS) {
    const wanted = limit - transactions.length;
    const names = new Map<string, string>();
    if (before !== undefined) names.set("#sequence", "sequence");
    if (status) names.set("#status", "status");
    const { Items = [], LastEvaluatedKey } = await ask("Query the history", () =>
      dynamo.send(
        new QueryCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          IndexName: "history",
          ScanIndexForward: false,
          // One more than wanted tells whether there is a next page; a filter wants larger reads.
          Limit: filters.length > 0 ? items : wanted + 1,
          KeyConditionExpression: ["userId = :userId", ...(before === undefined ? [] : ["#sequence < :before"])].join(
            " AND ",
          ),
          ...(filters.length > 0 && { FilterExpression: filters.join(" AND ") }),
          ...(names.size > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
          ExpressionAttributeValues: { ":userId": userId, ":before": before, ":currency": currency, ":status": status },
        }),
      ),
    );
    const found = Items.map(toTransaction);
    transactions.push(...found.slice(0, wanted));
    const more = found.length > wanted || LastEvaluatedKey !== undefined;
    if (!more) return { transactions, nextBeforeSequence: undefined };
    before = found.length > wanted ? transactions.at(-1)?.settlement?.sequence : Number(LastEvaluatedKey?.sequence);
    if (transactions.length === limit) break;
  }
  return { transactions, nextBeforeSequence: before };
}
