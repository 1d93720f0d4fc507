import { isDeepStrictEqual } from "node:util";
import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { initialRemainder } from "../domain/decide.ts";
import type { Credit } from "../domain/movements/credit.ts";
import type { Wallet } from "../domain/state.ts";
import {
  type DecidedTransaction,
  type Decision,
  isDecided,
  pendingTransaction,
  type Remainder,
  type Transaction,
} from "../domain/transaction.ts";
import { chunksOf } from "../ledger/chunksOf.ts";
import { inParallel } from "../ledger/inParallel.ts";
import {
  type Commit,
  type CommitResult,
  type DeadLetterReason,
  type Decided,
  type HistoryPage,
  type HistoryQuery,
  type LedgerStore,
  type ReferredChange,
  type TransactionKey,
  TransientError,
} from "../ledger/ports.ts";
import { parsePosition, positionText } from "../ledger/position.ts";
import { dueAfter } from "../ledger/sweep.ts";
import { toError } from "../ledger/toError.ts";
import { setting } from "../runtime/config.ts";
import { dynamo } from "./clients.ts";
import { isTransient, withTransientErrors } from "./errors.ts";
import {
  dueAttributes,
  number,
  text,
  toDecisionAttributes,
  toNative,
  toPendingItem,
  toRemainderAttributes,
  toTransaction,
  toWallet,
  toWalletAttributes,
} from "./items.ts";

/**
 * The ledger's tables. Sparse indexes order a user's decided transactions by their position, `history`, and the open holds
 * among them, `openHolds`. A third one, `due`, lists what the sweep must send; see lib/aws/dueIndex.ts.
 */
export const dynamoStore: LedgerStore = {
  putPending,
  putAllPending,
  findTransaction,
  findTransactions,
  readWallet,
  readWallets,
  commit,
  readHistory,
  readOpenHolds,
};

async function putPending(transaction: Transaction, dueAt?: string): Promise<Transaction | undefined> {
  try {
    await withTransientErrors("Put a transaction", () =>
      dynamo.send(
        new PutItemCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          Item: {
            ...toPendingItem(transaction),
            ...(dueAt !== undefined && dueAttributes(transaction.id, dueAt)),
          },
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

/** DynamoDB takes at most this many statements at once. */
export const STATEMENTS_MAX = 25;

/** An insert is a put with the condition that the item is new, for the same write unit; many of them are one call. */
async function putAllPending(transactions: readonly Transaction[]): Promise<ReadonlyMap<string, Transaction | Error>> {
  const failed = new Map<string, Transaction | Error>();
  const taken: TransactionKey[] = [];
  await inParallel(chunksOf(transactions, STATEMENTS_MAX), async (chunk) => {
    try {
      const { Responses = [] } = await withTransientErrors("Put transactions", () =>
        dynamo.send(new BatchExecuteStatementCommand({ Statements: chunk.map(insertOf) })),
      );
      for (const [index, { userId, id }] of chunk.entries()) {
        const { Code, Message } = Responses[index]?.Error ?? {};
        if (Code === "DuplicateItem") taken.push({ userId, id });
        else if (Code !== undefined) failed.set(id, toStatementError(Code, Message));
      }
    } catch (error) {
      for (const { id } of chunk) failed.set(id, toError(error));
    }
  });
  try {
    for (const existing of await findTransactions(taken)) failed.set(existing.id, existing);
  } catch (error) {
    for (const { id } of taken) failed.set(id, toError(error));
  }
  return failed;
}

function toStatementError(code: string, message: string | undefined): Error {
  const text = `Put a transaction: ${code} ${message}`;
  return isTransient(code) ? new TransientError(text) : new Error(text);
}

function insertOf(transaction: Transaction) {
  const entries = Object.entries(toPendingItem(transaction));
  const members = entries.map(([name]) => `'${name}': ?`).join(", ");
  return {
    Statement: `INSERT INTO "${setting("TRANSACTIONS_TABLE")}" VALUE {${members}}`,
    Parameters: entries.map(([, value]) => value),
  };
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
  const keys = userIds.map((userId) => ({ userId: text(userId) }));
  const found = (await getItems(setting("WALLETS_TABLE"), keys)).map((item) => toWallet(toNative(item)));
  return new Map(found.map(({ userId, wallet }) => [userId, wallet]));
}

async function findTransactions(keys: readonly TransactionKey[]): Promise<readonly Transaction[]> {
  const Keys = keys.map(({ userId, id }) => ({ userId: text(userId), id: text(id) }));
  return (await getItems(setting("TRANSACTIONS_TABLE"), Keys)).map((item) => toTransaction(toNative(item)));
}

/** DynamoDB reads at most this many items at once. */
const GET_ITEMS_MAX = 100;

/** @throws TransientError if DynamoDB does not read all of them: it returns at most 16 MB */
async function getItems(table: string, keys: readonly StoredItem[]): Promise<readonly StoredItem[]> {
  const items: StoredItem[] = [];
  for (const chunk of chunksOf(keys, GET_ITEMS_MAX)) {
    const Keys = [...chunk];
    const { Responses, UnprocessedKeys } = await withTransientErrors("Get items", () =>
      dynamo.send(new BatchGetItemCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } })),
    );
    if (UnprocessedKeys?.[table]) throw new TransientError(`Get items of ${table}: not all of them were read`);
    items.push(...(Responses?.[table] ?? []));
  }
  return items;
}

async function commit(commits: readonly Commit[]): Promise<CommitResult> {
  const writes = commits.flatMap((commit) => [
    walletWrite(commit),
    ...commit.decided.map((decided) => transactionWrite(commit, decided)),
    ...commit.decided.flatMap(({ emitted }) => (emitted ? [emittedWrite(emitted)] : [])),
    ...commit.referred.map(referredWrite),
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

/** The ids of the write's decisions are for the readers of the table's stream; see lib/aws/walletStream.ts. */
function walletWrite(commit: Commit): ConditionalWrite {
  const { userId, before, wallet, requiredAvailableMinor, requiredHeldMinor, decided } = commit;
  const required = [
    ...[...requiredAvailableMinor].map(([currency, minor]) => ({ balances: "available", currency, minor })),
    ...[...requiredHeldMinor].map(([currency, minor]) => ({ balances: "held", currency, minor })),
  ];
  const decidedIds = { L: decided.map(({ command }) => text(command.id)) };
  const update = updateOf({ ...toWalletAttributes(wallet), decidedIds }, []);
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

/** Decides the transaction only if it is pending and has the command's content; its user is in the key. */
function transactionWrite(
  { userId }: Commit,
  { command, contentHash, decision, remainder }: Decided,
): ConditionalWrite {
  const { id } = command;
  const initial = initialRemainder(command, decision);
  const update = updateOf(
    {
      ...toDecisionAttributes(command, decision),
      ...(remainder && remainderAttributes(remainder, initial)),
      ...(command.type === "hold" && remainder && openHoldAttributes(id, command.expiresAt, decision, remainder)),
    },
    command.type === "credit" || command.type === "expiry" ? DUE_ATTRIBUTES : [],
  );
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

/** The credit of another wallet, until it is decided in the index of what is due. */
function emittedWrite(credit: Credit): ConditionalWrite {
  const item = {
    Put: {
      TableName: setting("TRANSACTIONS_TABLE"),
      Item: { ...toPendingItem(pendingTransaction(credit)), ...dueAttributes(credit.id, dueAfter(credit.createdAt)) },
      ConditionExpression: "attribute_not_exists(id)",
    },
  };
  return { item, interpretFailure: () => ({ kind: "conflict" }) };
}

/** Changes what remains of an earlier transaction, if it is as it was read. */
function referredWrite({ before, after }: ReferredChange): ConditionalWrite {
  const { userId, id, decision } = before;
  const initial = initialRemainder(before, decision);
  const attributes = remainderAttributes(after, initial);
  const isClosed = after.holdStatus !== undefined && after.holdStatus !== "open";
  const update = updateOf(attributes, [
    ...(Object.keys(attributes).length === 0 ? ["remainingMinor"] : []),
    ...(isClosed ? OPEN_HOLD_ATTRIBUTES : []),
  ]);
  const isUntouched = before.remainder?.remainingMinor === initial?.remainingMinor;
  const item = {
    Update: {
      TableName: setting("TRANSACTIONS_TABLE"),
      Key: { userId: text(userId), id: text(id) },
      UpdateExpression: update.expression,
      ConditionExpression: [
        "#status = :posted",
        isUntouched ? "attribute_not_exists(remainingMinor)" : "remainingMinor = :before",
        "attribute_not_exists(holdStatus)",
      ].join(" AND "),
      ExpressionAttributeNames: { ...update.names, "#status": "status" },
      ExpressionAttributeValues: {
        ...update.values,
        ":posted": text("posted"),
        ...(!isUntouched && { ":before": number(before.remainder?.remainingMinor ?? 0n) }),
      },
    },
  };
  return { item, interpretFailure: () => ({ kind: "conflict" }) };
}

/** None if nothing was taken yet, so that the attribute's absence says so. */
function remainderAttributes(remainder: Remainder, initial: Remainder | undefined): StoredItem {
  return isDeepStrictEqual(remainder, initial) ? {} : toRemainderAttributes(remainder);
}

const DUE_ATTRIBUTES = ["dueShard", "dueAt"];
const OPEN_HOLD_ATTRIBUTES = ["openHold", ...DUE_ATTRIBUTES];

/** An open hold is in the index of the user's open holds, and from its expiry on in that of what is due. */
function openHoldAttributes(id: string, expiresAt: string, decision: Decision, { holdStatus }: Remainder): StoredItem {
  if (holdStatus !== "open") return {};
  return { openHold: text(positionText(decision)), ...dueAttributes(id, dueAfter(expiresAt)) };
}

/** DynamoDB reserves these words in expressions. */
const RESERVED = new Set(["status", "sequence", "position", "hash"]);

/** An update that sets attributes and removes others, and the names and values in its expression. */
function updateOf(attributes: StoredItem, removed: readonly string[]) {
  const terms: string[] = [];
  const names: Record<string, string> = {};
  const values: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const isReserved = RESERVED.has(name);
    terms.push(`${isReserved ? "#" : ""}${name} = :${name}`);
    if (isReserved) names[`#${name}`] = name;
    values[`:${name}`] = value;
  }
  const clauses = [
    ...(terms.length > 0 ? [`SET ${terms.join(", ")}`] : []),
    ...(removed.length > 0 ? [`REMOVE ${removed.join(", ")}`] : []),
  ];
  return { expression: clauses.join(" "), names, values };
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
      dynamo.send(
        new QueryCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          IndexName: "history",
          ScanIndexForward: order === "oldest first",
          // One more than the page shows whether there is a next page; a filter needs larger reads.
          Limit: filters.length > 0 ? items : wanted + 1,
          KeyConditionExpression: "userId = :userId AND #position BETWEEN :first AND :last",
          ...(filters.length > 0 && {
            FilterExpression: filters.map(({ term }) => term).join(" AND "),
          }),
          ExpressionAttributeNames: {
            "#position": "position",
            ...Object.fromEntries(filters.map(({ name }) => [`#${name}`, name])),
          },
          ExpressionAttributeValues: {
            ":userId": text(userId),
            ":first": text(range.first),
            ":last": text(range.last),
            ...Object.fromEntries(filters.map(({ name, value }) => [`:${name}`, text(value)])),
          },
        }),
      ),
    );
    const found = Items.map(toNative).map(toTransaction).filter(isDecided);
    transactions.push(...found.slice(0, wanted));
    if (found.length <= wanted && !LastEvaluatedKey) return { transactions, end: undefined };
    after = found.length > wanted ? transactions.at(-1)?.decision : parsePosition(LastEvaluatedKey?.position?.S ?? "");
    if (transactions.length === limit) break;
  }
  return { transactions, end: after };
}

async function readOpenHolds(
  userId: string,
  { limit, after }: Pick<HistoryQuery, "limit" | "after">,
): Promise<HistoryPage> {
  const { Items = [], LastEvaluatedKey } = await withTransientErrors("Query the open holds", () =>
    dynamo.send(
      new QueryCommand({
        TableName: setting("TRANSACTIONS_TABLE"),
        IndexName: "openHolds",
        ScanIndexForward: false,
        Limit: limit + 1,
        KeyConditionExpression: "userId = :userId AND openHold < :before",
        ExpressionAttributeValues: {
          ":userId": text(userId),
          ":before": text(after ? positionText(after) : LAST_POSITION),
        },
      }),
    ),
  );
  const transactions = Items.map(toNative).map(toTransaction).filter(isDecided);
  const page = transactions.slice(0, limit);
  // DynamoDB ends a read at 1 MB, which can be before the page is full.
  const hasMore = transactions.length > limit || LastEvaluatedKey !== undefined;
  return { transactions: page, end: hasMore ? page.at(-1)?.decision : undefined };
}

function filtersOf({ type, currency, status }: HistoryQuery) {
  return Object.entries({ type, currency, status }).flatMap(([name, value]) => {
    const equals = `#${name} = :${name}`;
    // An exchange has two currencies, and its reversal has the second one only in its changes.
    const term = name === "currency" ? `(${equals} OR bought.${equals} OR changes[1].${equals})` : equals;
    return value ? [{ name, value, term }] : [];
  });
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
