import {
  type AttributeValue,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
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
  TransientError,
} from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { dynamo, dynamoDocuments } from "./clients.ts";
import { isTransient, withTransientErrors } from "./errors.ts";
import { toInteger, toPendingItem, toTransaction, toWallet } from "./items.ts";

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
    await withTransientErrors("Put a transaction", () =>
      dynamo.send(
        new PutItemCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          Item: marshall(toPendingItem(transaction), { removeUndefinedValues: true }),
          ConditionExpression: "attribute_not_exists(id)",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      ),
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException && error.Item)) throw error;
    return toTransaction(toNative(error.Item));
  }
}

async function findTransaction(userId: string, id: string): Promise<Transaction | undefined> {
  const { Item } = await withTransientErrors("Get a transaction", () =>
    dynamo.send(
      new GetItemCommand({
        TableName: setting("TRANSACTIONS_TABLE"),
        Key: marshall({ userId, id }),
        ConsistentRead: true,
      }),
    ),
  );
  return Item && toTransaction(toNative(Item));
}

async function readWallet(userId: string) {
  const { Item } = await withTransientErrors("Get a wallet", () =>
    dynamo.send(
      new GetItemCommand({ TableName: setting("WALLETS_TABLE"), Key: marshall({ userId }), ConsistentRead: true }),
    ),
  );
  return Item && toWallet(toNative(Item)).wallet;
}

async function readWallets(userIds: readonly string[]): Promise<ReadonlyMap<string, Wallet>> {
  const table = setting("WALLETS_TABLE");
  const Keys = userIds.map((userId) => marshall({ userId }));
  const { Responses, UnprocessedKeys } = await withTransientErrors("Get wallets", () =>
    dynamo.send(new BatchGetItemCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } })),
  );
  if (UnprocessedKeys?.[table]) throw new TransientError("Get wallets: not all of them were read");
  const found = (Responses?.[table] ?? []).map((item) => toWallet(toNative(item)));
  return new Map(found.map(({ userId, wallet }) => [userId, wallet]));
}

async function commit(commits: readonly Commit[]): Promise<CommitResult> {
  const writes = commits.flatMap((commit) => [
    walletWrite(commit),
    ...commit.decided.map((decided) => transactionWrite(commit, decided)),
  ]);
  try {
    await withTransientErrors("Write decisions", () =>
      dynamo.send(new TransactWriteItemsCommand({ TransactItems: writes.map(({ item }) => item) })),
    );
    return { kind: "committed" };
  } catch (error) {
    if (error instanceof TransactionCanceledException) return interpretCancellation(error, writes);
    if (error instanceof Error && error.name === "ValidationException") {
      return { kind: "invalid_write", detail: error.message };
    }
    throw error;
  }
}

type StoredItem = Readonly<Record<string, AttributeValue>>;

/** The form in which lib/aws/items.ts reads an item. */
function toNative(item: StoredItem) {
  return unmarshall(item, { wrapNumbers: toInteger });
}

/** What a failed condition says about the decisions. */
type ConditionFailure =
  | { readonly kind: "conflict" }
  | { readonly kind: "already_decided"; readonly id: string }
  | { readonly kind: "not_accepted"; readonly id: string; readonly reason: DeadLetterReason };

/** The write of one item, and how to interpret that its condition failed. */
interface ConditionalWrite {
  readonly item: TransactWriteItem;
  interpretFailure(stored: StoredItem | undefined): ConditionFailure;
}

function walletWrite({ userId, before, wallet, requiredMinor, decidedAt }: Commit): ConditionalWrite {
  const requirements = [...requiredMinor].map(([currency, minor], index) => ({
    currency,
    minor,
    name: `#c${index}`,
    value: `:c${index}`,
  }));
  const item = {
    Update: {
      TableName: setting("WALLETS_TABLE"),
      Key: marshall({ userId }),
      UpdateExpression: "SET #sequence = :sequence, balances = :balances, updatedAt = :updatedAt",
      ConditionExpression: [
        before ? "#sequence = :before" : "attribute_not_exists(userId)",
        ...requirements.map(({ name, value }) => `balances.${name} >= ${value}`),
      ].join(" AND "),
      ExpressionAttributeNames: {
        "#sequence": "sequence",
        ...Object.fromEntries(requirements.map(({ name, currency }) => [name, currency])),
      },
      ExpressionAttributeValues: marshall({
        ":sequence": wallet.sequence,
        ":balances": Object.fromEntries(wallet.balances),
        ":updatedAt": decidedAt.toISOString(),
        ...(before && { ":before": before.sequence }),
        ...Object.fromEntries(requirements.map(({ value, minor }) => [value, minor])),
      }),
    },
  };
  return { item, interpretFailure: () => ({ kind: "conflict" }) };
}

/** Decides the transaction only if it is pending and has the message's content; its user is in the key. */
function transactionWrite({ userId, decidedAt }: Commit, { message, decision }: Decided): ConditionalWrite {
  const { id, sequence, balanceAfterMinor, outcome } = decision;
  const { type, currency, amountMinor } = message.command;
  const [attribute, value] =
    outcome.status === "posted" ? ["postedAt", decidedAt.toISOString()] : ["rejectionCode", outcome.code];
  const item = {
    Update: {
      TableName: setting("TRANSACTIONS_TABLE"),
      Key: marshall({ userId, id }),
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
      ExpressionAttributeValues: marshall({
        ":status": outcome.status,
        ":sequence": sequence,
        ":balanceAfterMinor": balanceAfterMinor,
        ":outcome": value,
        ":pending": "pending",
        ":type": type,
        ":currency": currency,
        ":amountMinor": amountMinor,
        ":fingerprint": message.fingerprint,
      }),
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
    },
  };
  return {
    item,
    interpretFailure(stored) {
      if (!stored) return { kind: "not_accepted", id, reason: "unknown_transaction" };
      if (!hasContentOf(message, stored)) return { kind: "not_accepted", id, reason: "content_mismatch" };
      return { kind: "already_decided", id };
    },
  };
}

/** True when a stored transaction, as DynamoDB returns it, has all of a message's content. */
function hasContentOf({ command, fingerprint }: Message, stored: StoredItem): boolean {
  return (
    stored.type?.S === command.type &&
    stored.currency?.S === command.currency &&
    stored.amountMinor?.N === command.amountMinor.toString() &&
    stored.fingerprint?.S === fingerprint
  );
}

/** DynamoDB returns one reason for each write, in the order of the writes. */
function interpretCancellation(
  { message, CancellationReasons: reasons = [] }: TransactionCanceledException,
  writes: readonly ConditionalWrite[],
): CommitResult {
  const alreadyDecided = new Set<string>();
  const notAccepted = new Map<string, DeadLetterReason>();
  for (const [index, write] of writes.entries()) {
    const reason = reasons[index];
    if (reason?.Code !== "ConditionalCheckFailed") continue;
    const failure = write.interpretFailure(reason.Item);
    if (failure.kind === "already_decided") alreadyDecided.add(failure.id);
    if (failure.kind === "not_accepted") notAccepted.set(failure.id, failure.reason);
  }
  if (alreadyDecided.size > 0 || notAccepted.size > 0) {
    return { kind: "precondition_failed", alreadyDecided, notAccepted };
  }
  const codes = reasons.flatMap(({ Code }) => (Code && Code !== "None" ? [Code] : []));
  const isConflict = codes.length > 0 && codes.every((code) => code === "ConditionalCheckFailed" || isTransient(code));
  return isConflict
    ? { kind: "conflict", detail: codes.join(", ") }
    : { kind: "invalid_write", detail: `${message} ${codes.join(", ")}` };
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
    const { Items = [], LastEvaluatedKey } = await withTransientErrors("Query the history", () =>
      dynamoDocuments.send(
        new QueryCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          IndexName: "history",
          ScanIndexForward: false,
          // One more than the page shows whether there is a next page; a filter needs larger reads.
          Limit: filters.length > 0 ? items : wanted + 1,
          KeyConditionExpression: ["userId = :userId", ...(before === undefined ? [] : ["#sequence < :before"])].join(
            " AND ",
          ),
          ...(filters.length > 0 && { FilterExpression: filters.join(" AND ") }),
          ...(names.size > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
          ExpressionAttributeValues: {
            ":userId": userId,
            ...(before !== undefined && { ":before": before }),
            ...(currency && { ":currency": currency }),
            ...(status && { ":status": status }),
          },
        }),
      ),
    );
    const found = Items.map(toTransaction);
    transactions.push(...found.slice(0, wanted));
    const more = found.length > wanted || LastEvaluatedKey !== undefined;
    if (!more) return { transactions, nextBeforeSequence: undefined };
    before = found.length > wanted ? transactions.at(-1)?.decision?.sequence : Number(LastEvaluatedKey?.sequence);
    if (transactions.length === limit) break;
  }
  return { transactions, nextBeforeSequence: before };
}
