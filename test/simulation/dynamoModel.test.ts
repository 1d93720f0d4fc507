import { openSync } from "node:fs";
import { devNull } from "node:os";
import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type BatchStatementResponse,
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDynamo } from "../../localstack/engines.ts";
import type { Program } from "../../localstack/process.ts";
import { freePorts } from "../../testkit/ports.ts";
import { DynamoModel, type TableDefinition } from "./dynamo/model.ts";
import { prepare } from "./dynamo/prepare.ts";

const UNMARSHALL_OPTIONS = { wrapNumbers: BigInt, convertWithoutMapWrapper: false };

const WALLETS: TableDefinition = { name: "wallets", key: { hash: "userId" } };
const TRANSACTIONS: TableDefinition = {
  name: "transactions",
  key: { hash: "userId", range: "id" },
  indexes: [
    { name: "history", key: { hash: "userId", range: "position" } },
    { name: "due", key: { hash: "dueShard", range: "dueAt" } },
  ],
};
/** Key attributes that are numbers. */
const NUMBERS = new Set(["dueShard"]);

const PENDING = "pending";
const user = fc.constantFrom("alice", "bob");
const id = fc.constantFrom("tx_1", "tx_2", "tx_3", "tx_4");
const sequence = fc.integer({ min: 0, max: 1 });
const digits38 = 10n ** 38n - 1n;
const minor = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(-5n, 5n) },
  { weight: 2, arbitrary: fc.constantFrom(digits38, digits38 - 1n) },
  { weight: 1, arbitrary: fc.constantFrom(digits38 + 2n, 10n ** 40n + 1n) },
);
const contentHash = fc.constantFrom("right", "right", "right", "wrong");
const position = fc.constantFrom("2026-01-01#1", "2026-01-01#2", "2026-01-02#3", "2026-01-02#4", "2026-01-02#5", "É#6");

const put = fc.record({ user, id, contentHash, minor, guarded: fc.boolean() }).map((at) => ({
  what: `put ${JSON.stringify(at, plain)}`,
  command: (run: string) =>
    new PutItemCommand({
      TableName: TRANSACTIONS.name,
      Item: marshall({
        userId: run + at.user,
        id: at.id,
        contentHash: at.contentHash,
        amountMinor: at.minor,
        metadata: { note: "n" },
        notes: [{ hue: "wrong" }, { hue: "right" }],
        status: PENDING,
      }),
      ...(at.guarded && {
        ConditionExpression: "attribute_not_exists(id)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
      }),
    }),
}));

const inserts = fc
  .uniqueArray(fc.record({ user, id, contentHash, minor: fc.bigInt(-5n, 5n) }), {
    minLength: 1,
    maxLength: 4,
    selector: (at) => JSON.stringify([at.user, at.id]),
  })
  .map((all) => ({
    what: `inserts ${JSON.stringify(all, plain)}`,
    command: (run: string) =>
      new BatchExecuteStatementCommand({
        Statements: all.map((at) => ({
          Statement: `INSERT INTO "${TRANSACTIONS.name}" VALUE {'userId': ?, 'id': ?, 'contentHash': ?, 'amountMinor': ?, 'metadata': ?, 'status': ?}`,
          Parameters: [
            { S: run + at.user },
            { S: at.id },
            { S: at.contentHash },
            { N: String(at.minor) },
            { M: { note: { S: "n" } } },
            { S: PENDING },
          ],
        })),
      }),
  }));

/** The runs of a test have shards of their own. */
const shardOf = (run: string) => Number(/[0-9]+/.exec(run)?.[0]);

const postpone = fc.record({ user, id: fc.constantFrom("tx_1", "tx_6", "tx_7"), dueAt: position }).map((at) => ({
  what: `postpone ${JSON.stringify(at)}`,
  command: (run: string) =>
    new UpdateItemCommand({
      TableName: TRANSACTIONS.name,
      Key: marshall({ userId: run + at.user, id: at.id }),
      UpdateExpression: "SET dueAt = :dueAt",
      ConditionExpression: "attribute_exists(dueAt)",
      ExpressionAttributeValues: marshall({ ":dueAt": at.dueAt }),
    }),
}));

const due = fc.record({ before: position, limit: fc.integer({ min: 1, max: 4 }) }).map((at) => ({
  what: `due ${JSON.stringify(at)}`,
  command: (run: string) =>
    new QueryCommand({
      TableName: TRANSACTIONS.name,
      IndexName: "due",
      Limit: at.limit,
      KeyConditionExpression: "dueShard = :shard AND dueAt < :before",
      ExpressionAttributeValues: marshall({ ":shard": shardOf(run), ":before": at.before }),
    }),
}));

const get = fc.record({ user, id }).map((at) => ({
  what: `get ${JSON.stringify(at)}`,
  command: (run: string) =>
    new GetItemCommand({
      TableName: TRANSACTIONS.name,
      Key: marshall({ userId: run + at.user, id: at.id }),
      ConsistentRead: true,
    }),
}));

const wallet = fc.record({ user }).map((at) => ({
  what: `wallet ${JSON.stringify(at)}`,
  command: (run: string) =>
    new GetItemCommand({ TableName: WALLETS.name, Key: marshall({ userId: run + at.user }), ConsistentRead: true }),
}));

const wallets = fc.record({ users: fc.uniqueArray(user, { minLength: 1 }) }).map((at) => ({
  what: `wallets ${JSON.stringify(at)}`,
  command: (run: string) =>
    new BatchGetItemCommand({
      RequestItems: {
        [WALLETS.name]: { Keys: at.users.map((name) => marshall({ userId: run + name })), ConsistentRead: true },
      },
    }),
}));

/** A write of decisions as lib/aws/store.ts makes it, valid or with one flaw. */
const transaction = fc
  .record({
    user,
    before: fc.option(sequence, { nil: undefined, freq: 1 }),
    after: sequence,
    balance: minor,
    need: fc.option(fc.bigInt(0n, 5n), { nil: undefined, freq: 1 }),
    decisions: fc.uniqueArray(fc.record({ id, position, contentHash, removes: fc.boolean() }), {
      maxLength: 3,
      selector: (decision) => decision.id,
    }),
    emitted: fc.option(fc.record({ id: fc.constantFrom("tx_6", "tx_7"), dueAt: position }), { nil: undefined }),
    token: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
    flaw: fc.oneof(
      { weight: 9, arbitrary: fc.constant("none") },
      { weight: 1, arbitrary: fc.constantFrom("unusedValue", "unusedName", "missingValue", "twice") },
    ),
  })
  // AWS validates a request before it evaluates conditions; the engines do so only where all conditions hold.
  .map((at) =>
    at.flaw === "none"
      ? at
      : {
          ...at,
          user: "unused",
          before: undefined,
          need: undefined,
          decisions: [],
          emitted: undefined,
          token: undefined,
        },
  )
  .map((at) => ({
    what: `transaction ${JSON.stringify(at, plain)}`,
    command: (run: string) =>
      new TransactWriteItemsCommand({
        ...(at.token && { ClientRequestToken: run + at.token }),
        TransactItems: [
          {
            Update: {
              TableName: WALLETS.name,
              Key: marshall({ userId: run + at.user }),
              UpdateExpression: "SET #sequence = :sequence, available = :available",
              ConditionExpression: [
                at.before === undefined ? "attribute_not_exists(userId)" : "#sequence = :before",
                ...(at.need === undefined ? [] : ["available.#c0 >= :c0"]),
              ].join(" AND "),
              ExpressionAttributeNames: {
                "#sequence": "sequence",
                ...(at.need !== undefined && { "#c0": "USD" }),
                ...(at.flaw === "unusedName" && { "#unused": "unused" }),
              },
              ExpressionAttributeValues: marshall({
                ...(at.flaw !== "missingValue" && { ":sequence": at.after }),
                ":available": { USD: at.balance },
                ...(at.before !== undefined && { ":before": at.before }),
                ...(at.need !== undefined && { ":c0": at.need }),
                ...(at.flaw === "unusedValue" && { ":unused": 1 }),
              }),
            },
          },
          ...(at.flaw === "twice" ? [1, 2] : []).map((value) => ({
            Update: {
              TableName: TRANSACTIONS.name,
              Key: marshall({ userId: run + at.user, id: "tx_twice" }),
              UpdateExpression: "SET note = :note",
              ExpressionAttributeValues: marshall({ ":note": value }),
            },
          })),
          ...at.decisions.map((decision) => ({
            Update: {
              TableName: TRANSACTIONS.name,
              Key: marshall({ userId: run + at.user, id: decision.id }),
              UpdateExpression: `SET #status = :status, #position = :position${decision.removes ? " REMOVE metadata, dueShard" : ""}`,
              ConditionExpression: "#status = :pending AND contentHash = :contentHash",
              ExpressionAttributeNames: { "#status": "status", "#position": "position" },
              ExpressionAttributeValues: marshall({
                ":status": "posted",
                ":position": decision.position,
                ":pending": PENDING,
                ":contentHash": decision.contentHash,
              }),
              ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
            },
          })),
          ...(at.emitted
            ? [
                {
                  Put: {
                    TableName: TRANSACTIONS.name,
                    Item: marshall({
                      userId: run + at.user,
                      id: at.emitted.id,
                      contentHash: "right",
                      status: PENDING,
                      dueShard: shardOf(run),
                      dueAt: at.emitted.dueAt,
                    }),
                    ConditionExpression: "attribute_not_exists(id)",
                  },
                },
              ]
            : []),
        ],
      }),
  }));

const query = fc
  .record({
    user,
    limit: fc.integer({ min: 1, max: 4 }),
    range: fc.option(fc.tuple(position, position), { nil: undefined }),
    forward: fc.boolean(),
    filter: fc.option(contentHash, { nil: undefined }),
  })
  // The engines report a range that ends before it starts in different ways.
  .map(({ range, ...at }) => ({
    ...at,
    range: range?.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  }))
  .map((at) => ({
    what: `query ${JSON.stringify(at)}`,
    command: (run: string) =>
      new QueryCommand({
        TableName: TRANSACTIONS.name,
        IndexName: "history",
        ScanIndexForward: at.forward,
        Limit: at.limit,
        KeyConditionExpression: `userId = :userId${at.range ? " AND #position BETWEEN :first AND :last" : ""}`,
        ...(at.filter && {
          FilterExpression:
            "(contentHash = :contentHash OR metadata.note = :contentHash OR notes[1].hue = :contentHash)",
        }),
        ...(at.range && { ExpressionAttributeNames: { "#position": "position" } }),
        ExpressionAttributeValues: marshall({
          ":userId": run + at.user,
          ...(at.range && { ":first": at.range[0], ":last": at.range[1] }),
          ...(at.filter && { ":contentHash": at.filter }),
        }),
      }),
  }));

const operations = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: put },
    { weight: 2, arbitrary: inserts },
    { weight: 1, arbitrary: get },
    { weight: 1, arbitrary: wallet },
    { weight: 1, arbitrary: wallets },
    { weight: 5, arbitrary: transaction },
    { weight: 2, arbitrary: query },
    { weight: 1, arbitrary: postpone },
    { weight: 2, arbitrary: due },
  ),
  { minLength: 5, maxLength: 25 },
);

describe.each(["dynoxide", "dynamodb-local"] as const)("the model of DynamoDB beside %s", (engine) => {
  let program: Program;
  let client: DynamoDBClient;
  const model = new DynamoModel([WALLETS, TRANSACTIONS], {
    nowMs: () => 0,
    later: (run) => run(),
    staleMs: () => 0,
    applyMs: () => 0,
    pageItemsMax: () => Number.POSITIVE_INFINITY,
    onWrite: () => {},
  });

  beforeAll(async () => {
    const { DYNAMODB_PORT } = await freePorts("DYNAMODB_PORT");
    const settings = { DYNAMODB_ENGINE: engine, DYNAMODB_PORT: Number(DYNAMODB_PORT), DATA_DIR: undefined };
    program = await startDynamo(settings, process.env, openSync(devNull, "w"));
    client = new DynamoDBClient({
      endpoint: `http://127.0.0.1:${DYNAMODB_PORT}`,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      maxAttempts: 1,
    });
    for (const table of [WALLETS, TRANSACTIONS]) await client.send(createTable(table));
  });

  afterAll(async () => {
    client?.destroy();
    await program?.stop();
  });

  test("random operations have the same answers", async () => {
    let runs = 0;
    let sends = 0;
    await fc.assert(
      fc.asyncProperty(operations, async (sequenceOfOperations) => {
        const run = `run${++runs}-`;
        for (const { what, command } of sequenceOfOperations) {
          const real = await outcomeOf(() => client.send(command(run) as GetItemCommand));
          const modelled = await outcomeOf(async () => prepare(command(run), `${++sends}`)(model));
          expect({ what, answer: modelled }).toEqual({ what, answer: real });
        }
      }),
      { numRuns: 50, seed: 5 },
    );
  });

  test("a scan page by page has the same items", async () => {
    const real = await scanAll(async (start) => {
      const { Items = [], LastEvaluatedKey: last } = await client.send(
        new ScanCommand({ TableName: WALLETS.name, Limit: 7, ...start }),
      );
      return { Items, ...(last && { LastEvaluatedKey: last }) };
    });
    const modelled = await scanAll(async (start) =>
      prepare(new ScanCommand({ TableName: WALLETS.name, ...start }), "")(model),
    );
    expect(modelled.length).toBeGreaterThan(10);
    expect(modelled).toEqual(real);
  });
});

interface Page {
  readonly Items?: readonly Record<string, unknown>[];
  readonly LastEvaluatedKey?: Record<string, unknown>;
}

async function scanAll(scan: (start: object) => Promise<Page>): Promise<readonly unknown[]> {
  const items: Record<string, unknown>[] = [];
  let page: Page = {};
  do {
    page = await scan({ ...(page.LastEvaluatedKey && { ExclusiveStartKey: page.LastEvaluatedKey }) });
    items.push(...(page.Items ?? []));
  } while (page.LastEvaluatedKey);
  return inOrder(items);
}

function inOrder(items: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] {
  return items.toSorted((a, b) => (JSON.stringify(a.userId) < JSON.stringify(b.userId) ? -1 : 1));
}

/** The parts of a response that the ledger reads. */
async function outcomeOf(send: () => Promise<object>): Promise<object> {
  try {
    const { Item, Items, LastEvaluatedKey, Responses, UnprocessedKeys } = (await send()) as Page & {
      Item?: object;
      Responses?: Record<string, Record<string, unknown>[]> | BatchStatementResponse[];
      UnprocessedKeys?: object;
    };
    if (Array.isArray(Responses)) return { codes: Responses.map((response) => response.Error?.Code) };
    const read = Object.values(Responses ?? {}).flat();
    return { Item, Items, LastEvaluatedKey, UnprocessedKeys, read: inOrder(read) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { CancellationReasons: reasons, Item } = error as Error & {
      CancellationReasons?: { Code?: string; Item?: Parameters<typeof unmarshall>[0] }[];
      Item?: Parameters<typeof unmarshall>[0];
    };
    const read = (item: Parameters<typeof unmarshall>[0] | undefined) => item && unmarshall(item, UNMARSHALL_OPTIONS);
    // The engines report an invalid expression in two ways; both are an invalid write for the ledger.
    if (reasons?.some(({ Code }) => Code === "ValidationError")) return { error: "ValidationException" };
    return {
      error: error.name,
      ...(Item && { Item: read(Item) }),
      ...(reasons && { reasons: reasons.map((reason) => ({ code: reason.Code, item: read(reason.Item) })) }),
    };
  }
}

function createTable({ name, key, indexes = [] }: TableDefinition): CreateTableCommand {
  const schema = ({ hash, range }: TableDefinition["key"]) => [
    { AttributeName: hash, KeyType: "HASH" as const },
    ...(range === undefined ? [] : [{ AttributeName: range, KeyType: "RANGE" as const }]),
  ];
  const keys = [key, ...indexes.map((index) => index.key)].flatMap(({ hash, range }) => [hash, range]);
  const names = new Set(keys.filter((part) => part !== undefined));
  return new CreateTableCommand({
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [...names].map((part) => ({
      AttributeName: part,
      AttributeType: NUMBERS.has(part) ? ("N" as const) : ("S" as const),
    })),
    KeySchema: schema(key),
    ...(indexes.length > 0 && {
      GlobalSecondaryIndexes: indexes.map((index) => ({
        IndexName: index.name,
        KeySchema: schema(index.key),
        Projection: { ProjectionType: "ALL" as const },
      })),
    }),
  });
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
