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
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Wallet } from "../domain/state.ts";
import { type DecidedTransaction, isDecided, type Transaction } from "../domain/transaction.ts";
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
import { parsePosition, positionText } from "../ledger/position.ts";
import { setting } from "../runtime/config.ts";
import { dynamo, dynamoDocuments } from "./clients.ts";
import { isTransient, withTransientErrors } from "./errors.ts";
import {
  number,
  text,
  toDecisionAttributes,
  toInteger,
  toPendingItem,
  toTransaction,
  toWallet,
  toWalletAttributes,
} from "./items.ts";

/** The ledger's tables. A sparse index `history` orders a user's decided transactions by their position. */
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
          Item: toPendingItem(transaction),
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
        Key: { userId: text(userId), id: text(id) },
        ConsistentRead: true,
      }),
    ),
  );
  return Item && toTransaction(toNative(Item));
}

async function readWallet(userId: string) {
  const { Item } = await withTransientErrors("Get a wallet", () =>
    dynamo.send(
      new GetItemCommand({
        TableName: setting("WALLETS_TABLE"),
        Key: { userId: text(userId) },
        ConsistentRead: true,
      }),
    ),
  );
  return Item && toWallet(toNative(Item)).wallet;
}

async function readWallets(userIds: readonly string[]): Promise<ReadonlyMap<string, Wallet>> {
  const table = setting("WALLETS_TABLE");
  const Keys = userIds.map((userId) => ({ userId: text(userId) }));
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

function walletWrite(commit: Commit): ConditionalWrite {
  const { userId, before, wallet, requiredAvailableMinor, requiredHeldMinor } = commit;
  const required = [
    ...[...requiredAvailableMinor].map(([currency, minor]) => ({ balances: "available", currency, minor })),
    ...[...requiredHeldMinor].map(([currency, minor]) => ({ balances: "held", currency, minor })),
  ];
  const update = updateOf(toWalletAttributes(wallet));
  const item = {
    Update: {
      TableName: setting("WALLETS_TABLE"),
      Key: { userId: text(userId) },
      UpdateExpression: update.expression,
      ConditionExpression: [
        before ? "#sequence = :before" : "attribute_not_exists(userId)",
        ...required.map(({ balances }, index) => `${balances}.#c${index} >= :c${index}`),
      ].join(" AND "),
      ExpressionAttributeNames: {
        ...update.names,
        ...Object.fromEntries(required.map(({ currency }, index) => [`#c${index}`, currency])),
      },
      ExpressionAttributeValues: {
        ...update.values,
        ...(before && { ":before": number(before.sequence) }),
        ...Object.fromEntries(required.map(({ minor }, index) => [`:c${index}`, number(minor)])),
      },
    },
  };
  return { item, interpretFailure: () => ({ kind: "conflict" }) };
}

/** Decides the transaction only if it is pending and has the message's content; its user is in the key. */
function transactionWrite({ userId }: Commit, { message, decision }: Decided): ConditionalWrite {
  const { contentHash, command } = message;
  const { id } = command;
  const update = updateOf(toDecisionAttributes(decision));
  const item = {
    Update: {
      TableName: setting("TRANSACTIONS_TABLE"),
      Key: { userId: text(userId), id: text(id) },
      UpdateExpression: update.expression,
      ConditionExpression: "#status = :pending AND contentHash = :contentHash",
      ExpressionAttributeNames: update.names,
      ExpressionAttributeValues: {
        ...update.values,
        ":pending": text("pending"),
        ":contentHash": text(contentHash),
      },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
    },
  };
  return {
    item,
    interpretFailure(stored) {
      if (!stored) return { kind: "not_accepted", id, reason: "unknown_transaction" };
      if (stored.contentHash?.S !== contentHash) return { kind: "not_accepted", id, reason: "content_mismatch" };
      return { kind: "already_decided", id };
    },
  };
}

/** DynamoDB reserves these words in expressions. */
const RESERVED = new Set(["status", "sequence", "position", "hash"]);

/** An update that sets attributes, and the names and values in its expression. */
function updateOf(attributes: StoredItem) {
  const terms: string[] = [];
  const names: Record<string, string> = {};
  const values: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const isReserved = RESERVED.has(name);
    terms.push(`${isReserved ? "#" : ""}${name} = :${name}`);
    if (isReserved) names[`#${name}`] = name;
    values[`:${name}`] = value;
  }
  return { expression: `SET ${terms.join(", ")}`, names, values };
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
  const { limit, order } = query;
  const filters = filtersOf(query);
  const transactions: DecidedTransaction[] = [];
  let after = query.after;
  for (const items of HISTORY_READS_ITEMS) {
    const wanted = limit - transactions.length;
    const range = rangeOf({ ...query, after });
    // DynamoDB refuses a range that ends before it starts.
    if (range.first > range.last) break;
    const { Items = [], LastEvaluatedKey } = await withTransientErrors("Query the history", () =>
      dynamoDocuments.send(
        new QueryCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          IndexName: "history",
          ScanIndexForward: order === "oldest first",
          // One more than the page shows whether there is a next page; a filter needs larger reads.
          Limit: filters.length > 0 ? items : wanted + 1,
          KeyConditionExpression: "userId = :userId AND #position BETWEEN :first AND :last",
          ...(filters.length > 0 && {
            FilterExpression: filters.map(({ name }) => `#${name} = :${name}`).join(" AND "),
          }),
          ExpressionAttributeNames: {
            "#position": "position",
            ...Object.fromEntries(filters.map(({ name }) => [`#${name}`, name])),
          },
          ExpressionAttributeValues: {
            ":userId": userId,
            ":first": range.first,
            ":last": range.last,
            ...Object.fromEntries(filters.map(({ name, value }) => [`:${name}`, value])),
          },
        }),
      ),
    );
    const found = Items.map(toTransaction).filter(isDecided);
    transactions.push(...found.slice(0, wanted));
    if (found.length <= wanted && !LastEvaluatedKey) return { transactions, end: undefined };
    after = found.length > wanted ? transactions.at(-1)?.decision : parsePosition(LastEvaluatedKey?.position);
    if (transactions.length === limit) break;
  }
  return { transactions, end: after };
}

function filtersOf({ type, currency, status }: HistoryQuery): { readonly name: string; readonly value: string }[] {
  return Object.entries({ type, currency, status }).flatMap(([name, value]) => (value ? [{ name, value }] : []));
}

/** Before and after every position. */
const FIRST_POSITION = "0";
const LAST_POSITION = "9999-12-31T23:59:59.999Z~";

/**
 * The positions of a query. A time sorts before all decisions of that time, so that `to` excludes them. A cursor of another
 * query can be outside of the period.
 */
function rangeOf({ order, after, from = FIRST_POSITION, to = LAST_POSITION }: HistoryQuery) {
  const next = after && positionText({ ...after, sequence: after.sequence + (order === "oldest first" ? 1 : -1) });
  if (!next) return { first: from, last: to };
  return order === "oldest first"
    ? { first: next > from ? next : from, last: to }
    : { first: from, last: next < to ? next : to };
}
