import {
  type AttributeValue,
  type BatchExecuteStatementCommandInput,
  type BatchGetItemCommandInput,
  type BatchStatementRequest,
  type BatchStatementResponse,
  type CancellationReason,
  ConditionalCheckFailedException,
  DynamoDBServiceException,
  type GetItemCommandInput,
  type Put,
  type PutItemCommandInput,
  type QueryCommandInput,
  type ScanCommandInput,
  TransactionCanceledException,
  type TransactWriteItemsCommandInput,
  type Update,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { compareTexts, Evaluator, ExpressionError, type Item } from "./expressions.ts";
import { normalizeNumber } from "./numbers.ts";

export type { Item } from "./expressions.ts";

export interface TableDefinition {
  readonly name: string;
  readonly key: KeySchema;
  readonly indexes?: readonly { readonly name: string; readonly key: KeySchema }[];
}

interface KeySchema {
  readonly hash: string;
  readonly range?: string;
}

/** One item before and after an atomic write. */
export interface Change {
  readonly table: string;
  readonly before: Item | undefined;
  readonly after: Item;
}

/** What the model needs of the simulation. */
export interface DynamoEnvironment {
  nowMs(): number;
  /** Schedules an update of the index, which lags. */
  later(run: () => void): void;
  /** Age of the next eventually consistent read, in milliseconds. */
  staleMs(): number;
  /**
   * How long plain reads see an item as it was before a transaction, at most {@link APPLY_MS_MAX}: DynamoDB applies a
   * transaction item by item.
   */
  applyMs(): number;
  /** Maximum number of items of the next page: DynamoDB limits pages by size. */
  pageItemsMax(): number;
  /** Called within every atomic write, after it. */
  onWrite(changes: readonly Change[]): void;
}

interface Version {
  /** From when on plain reads see it. */
  visibleAtMs: number;
  readonly item: Item;
}

interface Table {
  readonly definition: TableDefinition;
  readonly items: Map<string, Version[]>;
  /** By the index's name, then by the item's key in the table. */
  readonly indexes: ReadonlyMap<string, Map<string, IndexEntry>>;
}

interface IndexEntry {
  /** Which write it is of: an older one never replaces a newer one. */
  readonly write: number;
  /** Absent if the write took the item out of the index. */
  readonly item: Item | undefined;
}

/** A transaction is applied to all of its items within this time, and before the response. */
export const APPLY_MS_MAX = 20;
const VERSIONS_KEPT = 6;
const STATEMENTS_MAX = 25;
const TRANSACTION_ITEMS_MAX = 100;
const TOKEN_LIFE_MS = 10 * 60_000;
const METADATA = { $metadata: { httpStatusCode: 400 } };

/**
 * The part of DynamoDB that the ledger uses: atomic operations, conditions, cancellation reasons, idempotent transactions,
 * and an index that lags. Items are in the wire format.
 */
export class DynamoModel {
  readonly #tables: Map<string, Table>;
  readonly #environment: DynamoEnvironment;
  readonly #tokens = new Map<string, { readonly atMs: number; readonly request: string }>();
  #writes = 0;

  constructor(definitions: readonly TableDefinition[], environment: DynamoEnvironment) {
    this.#tables = new Map(
      definitions.map((definition) => {
        const indexes = new Map((definition.indexes ?? []).map(({ name }) => [name, new Map()]));
        return [definition.name, { definition, items: new Map(), indexes }];
      }),
    );
    this.#environment = environment;
  }

  put(input: PutItemCommandInput): object {
    const { Item = {}, ConditionExpression, ReturnValuesOnConditionCheckFailure: returned } = input;
    const table = this.#table(input.TableName);
    const item = normalize(Item);
    const key = keyOf(table.definition.key, item);
    const before = latest(table, key);
    const evaluator = evaluatorOf(input);
    const holds = validated(() => {
      const result = evaluator.holds(ConditionExpression, before);
      evaluator.checkAllUsed();
      return result;
    });
    if (!holds) {
      throw new ConditionalCheckFailedException({
        message: "The conditional request failed",
        ...METADATA,
        ...(returned === "ALL_OLD" && before && { Item: before }),
      });
    }
    this.#write([{ table, key, before, after: item }]);
    return {};
  }

  /**
   * Inserts items, each on its own.
   *
   * @param unprocessed true for a statement that the service does not execute this time
   */
  batchExecute(
    { Statements = [] }: BatchExecuteStatementCommandInput,
    unprocessed: () => boolean = () => false,
  ): { Responses: BatchStatementResponse[] } {
    if (Statements.length > STATEMENTS_MAX) {
      throw validation("Member must have length less than or equal to 25");
    }
    const inserts = Statements.map(toInsert);
    const Responses = inserts.map(({ TableName, Item }): BatchStatementResponse => {
      const error = unprocessed() ? "ThrottlingError" : this.#insert(TableName, Item);
      return { TableName, ...(error && { Error: { Code: error } }) };
    });
    return { Responses };
  }

  #insert(TableName: string, Item: Item): "DuplicateItem" | undefined {
    const table = this.#table(TableName);
    const { hash } = table.definition.key;
    try {
      this.put({ TableName, Item, ConditionExpression: `attribute_not_exists(${hash})` });
      return undefined;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return "DuplicateItem";
      throw error;
    }
  }

  update(input: UpdateItemCommandInput): object {
    const { table, key, before, after, holds } = this.#checkUpdate(input);
    if (!holds) {
      throw new ConditionalCheckFailedException({ message: "The conditional request failed", ...METADATA });
    }
    this.#write([{ table, key, before, after }]);
    return {};
  }

  get(input: GetItemCommandInput): { Item?: Item } {
    const table = this.#table(input.TableName);
    const key = keyOf(table.definition.key, input.Key ?? {});
    const item = this.#visible(table, key, input.ConsistentRead ? 0 : this.#environment.staleMs());
    return item ? { Item: item } : {};
  }

  /** @param unprocessed true for a key that the service does not process this time */
  batchGet(
    input: BatchGetItemCommandInput,
    unprocessed: (key: Item) => boolean = () => false,
  ): { Responses: Record<string, Item[]>; UnprocessedKeys: Record<string, { Keys: Item[] }> } {
    const Responses: Record<string, Item[]> = {};
    const UnprocessedKeys: Record<string, { Keys: Item[] }> = {};
    for (const [TableName, { Keys = [], ConsistentRead }] of Object.entries(input.RequestItems ?? {})) {
      const left = Keys.filter(unprocessed);
      if (left.length > 0) UnprocessedKeys[TableName] = { Keys: left };
      const read = Keys.filter((key) => !left.includes(key));
      Responses[TableName] = read
        .map((Key) => this.get({ TableName, Key, ConsistentRead }).Item)
        .filter((item) => item !== undefined);
    }
    return { Responses, UnprocessedKeys };
  }

  /**
   * @param disturb can change the reasons, as DynamoDB does for conflicts and throttles; a reason other than None cancels
   *   the transaction
   */
  transactWrite(
    input: TransactWriteItemsCommandInput,
    disturb: (reasons: CancellationReason[]) => CancellationReason[] = (reasons) => reasons,
  ): object {
    const { TransactItems = [], ClientRequestToken: token } = input;
    const request = JSON.stringify(TransactItems);
    if (TransactItems.length > TRANSACTION_ITEMS_MAX)
      throw validation("Member must have length less than or equal to 100");

    const checked = TransactItems.map(({ Update, Put }) => {
      if (Update) return this.#checkUpdate(Update);
      if (Put) return this.#checkPut(Put);
      throw new Error("The model knows only updates and puts in a transaction");
    });
    const touched = new Set(checked.map(({ table, key }) => `${table.definition.name} ${key}`));
    if (touched.size < checked.length) {
      throw validation("Transaction request cannot include multiple operations on one item");
    }
    if (token !== undefined && this.#wasDone(token, request)) return {};
    const reasons = disturb(
      checked.map(({ holds, returned }) =>
        holds
          ? { Code: "None" }
          : {
              Code: "ConditionalCheckFailed",
              Message: "The conditional request failed",
              ...(returned && { Item: returned }),
            },
      ),
    );
    if (reasons.some(({ Code }) => Code !== "None")) throw cancelled(reasons);
    this.#write(checked, () => this.#environment.applyMs());
    if (token !== undefined) this.#tokens.set(token, { atMs: this.#environment.nowMs(), request });
    return {};
  }

  query(input: QueryCommandInput): { Items: Item[]; LastEvaluatedKey?: Item } {
    const table = this.#table(input.TableName);
    const { indexes = [], key: tableKey } = table.definition;
    const index = indexes.find(({ name }) => name === input.IndexName);
    if (!index) throw new Error("The model knows only queries of an index");
    const start = input.ExclusiveStartKey;
    if (input.ConsistentRead) throw validation("Consistent reads are not supported on global secondary indexes");
    const range = index.key.range ?? "";
    const evaluator = evaluatorOf(input);
    return validated(() => {
      const owner = evaluator.equals(input.KeyConditionExpression, index.key.hash);
      if (!owner) throw new ExpressionError("Query condition missed key schema element");
      const direction = input.ScanIndexForward === false ? -1 : 1;
      const compare = (a: Item, b: Item) =>
        direction * compareTexts(a[range]?.S ?? "", b[range]?.S ?? "") ||
        compareTexts(keyOf(tableKey, a), keyOf(tableKey, b));
      const matching = [...(table.indexes.get(index.name)?.values() ?? [])]
        .flatMap(({ item }) => (item && item[index.key.hash]?.S === owner.S ? [item] : []))
        .filter((item) => evaluator.holds(input.KeyConditionExpression, item))
        .filter((item) => !start || compare(start, item) < 0)
        .sort(compare);
      const limit = Math.min(input.Limit ?? Number.POSITIVE_INFINITY, this.#environment.pageItemsMax());
      const page = matching.slice(0, limit);
      const Items = page.filter((item) => evaluator.holds(input.FilterExpression, item));
      // Validates the expressions even if no item was evaluated.
      if (matching.length === 0) evaluator.holds(input.KeyConditionExpression, undefined);
      evaluator.holds(input.FilterExpression, undefined);
      evaluator.checkAllUsed();
      const last = page.length === limit ? page.at(-1) : undefined;
      return { Items, ...(last && { LastEvaluatedKey: pickKeys(last, [tableKey, index.key]) }) };
    });
  }

  /** Always current: functions scan only the currencies, which hardly ever change. */
  scan(input: ScanCommandInput): { Items: Item[]; LastEvaluatedKey?: Item } {
    const table = this.#table(input.TableName);
    const keys = [...table.items.keys()].sort();
    const start = input.ExclusiveStartKey && keyOf(table.definition.key, input.ExclusiveStartKey);
    const rest = start === undefined ? keys : keys.filter((key) => key > start);
    const page = rest.slice(0, this.#environment.pageItemsMax());
    const Items = page.map((key) => latest(table, key)).filter((item) => item !== undefined);
    const last = Items.at(-1);
    return {
      Items,
      ...(last && page.length < rest.length && { LastEvaluatedKey: pickKeys(last, [table.definition.key]) }),
    };
  }

  /** Every current item of a table, for the oracle. */
  items(tableName: string): Item[] {
    const table = this.#table(tableName);
    return [...table.items.keys()].map((key) => latest(table, key)).filter((item) => item !== undefined);
  }

  #table(name: string | undefined): Table {
    const table = this.#tables.get(name ?? "");
    if (!table) throw serviceError("ResourceNotFoundException", "Requested resource not found");
    return table;
  }

  #wasDone(token: string, request: string): boolean {
    const done = this.#tokens.get(token);
    if (!done || this.#environment.nowMs() - done.atMs > TOKEN_LIFE_MS) return false;
    if (done.request === request) return true;
    throw serviceError("IdempotentParameterMismatchException", "The request was made with other parameters before");
  }

  #write(
    writes: readonly {
      readonly table: Table;
      readonly key: string;
      readonly before: Item | undefined;
      readonly after: Item;
    }[],
    applyMs = () => 0,
  ): void {
    for (const { table, key, after } of writes) {
      const versions = table.items.get(key) ?? [];
      const version: Version = { visibleAtMs: this.#environment.nowMs() + applyMs(), item: after };
      versions.push(version);
      if (versions.length > VERSIONS_KEPT) versions.shift();
      table.items.set(key, versions);
      for (const { name, key: indexKey } of table.definition.indexes ?? []) {
        const isIn = after[indexKey.hash] && after[indexKey.range ?? indexKey.hash];
        const entry = { write: ++this.#writes, item: isIn ? after : undefined };
        const index = table.indexes.get(name);
        this.#environment.later(() => {
          version.visibleAtMs = Math.min(version.visibleAtMs, this.#environment.nowMs());
          if ((index?.get(key)?.write ?? 0) < entry.write) index?.set(key, entry);
        });
      }
    }
    this.#environment.onWrite(
      writes.map(({ table, before, after }) => ({ table: table.definition.name, before, after })),
    );
  }

  #checkUpdate(update: Update | UpdateItemCommandInput) {
    const table = this.#table(update.TableName);
    const key = keyOf(table.definition.key, update.Key ?? {});
    const before = latest(table, key);
    const evaluator = evaluatorOf(update);
    return validated(() => {
      const holds = evaluator.holds(update.ConditionExpression, before);
      const after = evaluator.update(update.UpdateExpression, before ?? { ...update.Key });
      evaluator.checkAllUsed();
      const returned = holds ? undefined : returnedBy(update, before);
      return { table, key, before, after: normalize(after), holds, returned };
    });
  }

  #checkPut(put: Put) {
    const table = this.#table(put.TableName);
    const after = normalize(put.Item ?? {});
    const key = keyOf(table.definition.key, after);
    const before = latest(table, key);
    const evaluator = evaluatorOf(put);
    return validated(() => {
      const holds = evaluator.holds(put.ConditionExpression, before);
      evaluator.checkAllUsed();
      return { table, key, before, after, holds, returned: holds ? undefined : returnedBy(put, before) };
    });
  }

  #visible(table: Table, key: string, ageMs: number): Item | undefined {
    const asOfMs = this.#environment.nowMs() - ageMs;
    return table.items.get(key)?.findLast(({ visibleAtMs }) => visibleAtMs <= asOfMs)?.item;
  }
}

const INSERT = /^INSERT INTO "(?<table>[^"]+)" VALUE \{(?<members>.*)\}$/;

/** What a statement inserts. */
export function toInsert({ Statement = "", Parameters = [] }: BatchStatementRequest): {
  TableName: string;
  Item: Item;
} {
  const { table: TableName, members = "" } = INSERT.exec(Statement)?.groups ?? {};
  if (TableName === undefined) throw new Error(`The model does not know the statement ${Statement}`);
  const names = [...members.matchAll(/'(\w+)': \?/g)].map(([, name = ""]) => name);
  if (names.length !== Parameters.length)
    throw validation("Number of parameters in request and statement don't match.");
  return {
    TableName,
    Item: Object.fromEntries(names.map((name, index) => [name, Parameters[index] ?? { NULL: true }])),
  };
}

/** An error for which the SDK has no class. */
export function serviceError(name: string, message: string, httpStatusCode = 400): DynamoDBServiceException {
  const $fault = httpStatusCode >= 500 ? "server" : "client";
  return new DynamoDBServiceException({ name, message, $fault, $metadata: { httpStatusCode } });
}

function cancelled(reasons: CancellationReason[]): TransactionCanceledException {
  const codes = reasons.map(({ Code }) => Code).join(", ");
  return new TransactionCanceledException({
    message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    ...METADATA,
    CancellationReasons: reasons,
  });
}

function validation(message: string): DynamoDBServiceException {
  return serviceError("ValidationException", message);
}

function validated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpressionError || error instanceof RangeError) throw validation(error.message);
    throw error;
  }
}

function evaluatorOf(input: {
  readonly ExpressionAttributeNames?: Record<string, string> | undefined;
  readonly ExpressionAttributeValues?: Record<string, AttributeValue> | undefined;
}): Evaluator {
  const values = input.ExpressionAttributeValues;
  return new Evaluator({
    names: input.ExpressionAttributeNames,
    values: values && Object.fromEntries(Object.entries(values).map(([key, value]) => [key, normalizeValue(value)])),
  });
}

function returnedBy(
  { ReturnValuesOnConditionCheckFailure: returned }: Pick<Put, "ReturnValuesOnConditionCheckFailure">,
  before: Item | undefined,
): Item | undefined {
  return returned === "ALL_OLD" ? before : undefined;
}

function latest(table: Table, key: string): Item | undefined {
  return table.items.get(key)?.at(-1)?.item;
}

function keyOf({ hash, range }: KeySchema, item: Item): string {
  const parts = [hash, ...(range === undefined ? [] : [range])].map((name) => item[name]?.S);
  if (parts.some((part) => part === undefined)) throw validation("The provided key element does not match the schema");
  if (parts.includes("")) {
    throw validation(
      "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value",
    );
  }
  return JSON.stringify(parts);
}

function pickKeys(item: Item, schemas: readonly KeySchema[]): Item {
  const names = new Set(schemas.flatMap(({ hash, range }) => (range === undefined ? [hash] : [hash, range])));
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));
}

function normalize(item: Item): Item {
  return validated(() =>
    Object.fromEntries(Object.entries(item).map(([name, value]) => [name, normalizeValue(value)])),
  );
}

function normalizeValue(value: AttributeValue): AttributeValue {
  if (value.N !== undefined) {
    try {
      return { N: normalizeNumber(value.N) };
    } catch (error) {
      throw error instanceof RangeError ? validation(error.message) : error;
    }
  }
  if (value.L !== undefined) return { L: value.L.map(normalizeValue) };
  if (value.M !== undefined) {
    return { M: Object.fromEntries(Object.entries(value.M).map(([name, inner]) => [name, normalizeValue(inner)])) };
  }
  return value;
}
