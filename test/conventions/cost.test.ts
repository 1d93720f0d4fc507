import { randomUUID } from "node:crypto";
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import type { DynamoDBStreamEvent, SQSEvent } from "aws-lambda";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { EMPTY_RECEIVE } from "../../bench/awsUsage.ts";
import { bill, itemBytes, monthDollars, storageDollars, type Usage } from "../../bench/bill.ts";
import {
  type CommandLoad,
  passBatches,
  passCommands,
  passRequests,
  STAGE,
  startCountedLedger,
} from "../../bench/lambda.ts";
import pricing from "../../bench/prices.json" with { type: "json" };
import { walletStream } from "../../bench/walletStream.ts";
import { createUsers } from "../../bench/workloads.ts";
import { handler as commands } from "../../functions/commands.ts";
import { handler as consume } from "../../functions/consume.ts";
import { handler as publish } from "../../functions/publish.ts";
import { handler as sweep } from "../../functions/sweep.ts";
import { sqs } from "../../lib/aws/clients.ts";
import { dynamoStore } from "../../lib/aws/store.ts";
import type { HttpEvent } from "../../lib/http/route.ts";
import { setting } from "../../lib/runtime/config.ts";
import { sum } from "../../scripts/statistics.ts";
import { lambdaContext } from "../../testkit/events.ts";
import { pendingTransaction } from "../../testkit/storeContract.ts";

/** The handlers in this process, not measured. */
const functions = {
  accept: async (event: HttpEvent) => invocation(await commands(event, lambdaContext)),
  consume: async (event: SQSEvent) => invocation(await consume(event)),
};

function writeUnits(put: number, decision: number, index: number, wallet: number, putBy = "PutItem") {
  return {
    [`${putBy} transactions`]: put,
    "TransactWriteItems transactions": decision,
    "TransactWriteItems transactions/history": index,
    "TransactWriteItems wallets": wallet,
  };
}

function invocation(response: unknown) {
  return { cpuMs: 0, logBytes: 0, memoryMb: 0, response };
}

describe("the AWS usage of commands", () => {
  let ledger: Awaited<ReturnType<typeof startCountedLedger>>;

  beforeAll(async () => {
    ledger = await startCountedLedger();
    // Loads the currencies and the key set, which a function caches.
    await passCommands({ commands: 1, batch: 1, users: 1 }, functions);
  });

  beforeEach(() => {
    ledger.reset();
  });

  afterAll(async () => {
    await ledger[Symbol.asyncDispose]();
  });

  async function usageOf(load: CommandLoad) {
    const { accepted, consumed } = await passCommands(load, functions);
    return { invocations: accepted.length + consumed.length, ...ledger.reset() };
  }

  test.each([
    ["a new user's deposit takes 6 write units, 1 read unit and 3 queue requests", 1, 3, writeUnits(1, 2, 1, 2)],
    ["ten commands of one user in one batch take one read and one write", 10, 12, writeUnits(10, 20, 10, 2)],
  ])("%s", async (_what, commands, calls, writeUnits) => {
    const { dynamo, readUnits, ...others } = await usageOf({ commands, batch: commands, users: 1 });
    expect([sum(Object.values(dynamo)), sum(Object.values(readUnits))]).toEqual([calls, 1]);
    expect(others).toEqual({
      invocations: commands + 1,
      sqs: { SendMessage: commands, ReceiveMessage: 1, DeleteMessageBatch: 1 },
      sns: {},
      queueRequests: commands + 2,
      writeUnits,
      failedCalls: 0,
    });
  });

  test("the same ten commands unbatched take ten times the units of the wallet, and 1.43 times all write units", async () => {
    const usage = await usageOf({ commands: 10, batch: 1, users: 1 });
    expect(sum(Object.values(usage.readUnits))).toBe(10);
    expect(usage.writeUnits).toEqual(writeUnits(10, 20, 10, 20));
    expect(sum(Object.values(usage.writeUnits)) / 42).toBeCloseTo(1.43, 2);
  });

  test("a transaction of more than 1 KB takes double units, in the table and in the index", async () => {
    const metadata = { note: "n".repeat(500), purpose: "p".repeat(500) };
    const usage = await usageOf({ commands: 1, batch: 1, users: 1, metadata });
    expect(usage.writeUnits).toEqual(writeUnits(2, 4, 2, 2));
  });

  test("a batch for 100 users takes 600 write units and 30 queue requests", async () => {
    await passBatches({ batches: 1, users: 100, batch: 10 }, functions);
    expect(ledger.reset()).toMatchObject({
      dynamo: { BatchExecuteStatement: 4, BatchGetItem: 10, TransactWriteItems: 10 },
      sqs: { SendMessageBatch: 10, ReceiveMessage: 10, DeleteMessageBatch: 10 },
      queueRequests: 30,
      writeUnits: writeUnits(100, 200, 100, 200, "BatchExecuteStatement"),
    });
  });

  test("a batch for one user takes 420 write units and one message: one write has 99 decisions, whose ids take 5 KB in the wallet", async () => {
    await passBatches({ batches: 1, users: 1, batch: 10 }, functions);
    expect(ledger.reset()).toMatchObject({
      dynamo: { BatchExecuteStatement: 4, BatchGetItem: 2, TransactWriteItems: 2 },
      sqs: { SendMessageBatch: 1, ReceiveMessage: 1, DeleteMessageBatch: 1 },
      queueRequests: 3,
      writeUnits: writeUnits(100, 200, 100, 20, "BatchExecuteStatement"),
    });
  });

  test("SQS bills every 64 KB of messages as a request, sent or received", async () => {
    const QueueUrl = setting("COMMANDS_QUEUE_URL");
    const group = { QueueUrl, MessageGroupId: "group" };
    const send = (bytes: number) =>
      sqs.send(
        new SendMessageCommand({ ...group, MessageBody: "é".repeat(bytes / 2), MessageDeduplicationId: randomUUID() }),
      );
    await send(64 * 1024);
    expect(ledger.reset().queueRequests).toBe(1);
    await send(64 * 1024 + 2);
    expect(ledger.reset().queueRequests).toBe(2);
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    expect(ledger.reset().queueRequests).toBe(3);
    const Entries = Messages?.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    expect(ledger.reset().queueRequests).toBe(1);
  });

  test("a transfer takes 15 write units, 3 read units and 6 queue requests, with its credit", async () => {
    const users = await createUsers(2);
    const [from, to] = users;
    const money = { currency: "USD", amount: "1.00" };
    const requestOf = (user: (typeof users)[number] | undefined, path: string, body: object) => {
      const { userId = "", token = "" } = user ?? {};
      return { token, path, pathParameters: { userId }, body };
    };
    const deposits = users.map((user) => requestOf(user, "deposits", money));
    await passRequests(deposits, { records: 2, batch: 1 }, functions);
    ledger.reset();
    const transfer = requestOf(from, "transfers", { to: to?.userId, ...money });
    await passRequests([transfer], { records: 2, batch: 1 }, functions);
    expect(ledger.reset()).toEqual({
      dynamo: { GetItem: 1, PutItem: 1, BatchGetItem: 2, TransactWriteItems: 2 },
      // The command, and the credits of its write.
      sqs: { SendMessage: 1, SendMessageBatch: 1, ReceiveMessage: 2, DeleteMessageBatch: 2 },
      sns: {},
      queueRequests: 6,
      writeUnits: {
        "PutItem transactions": 1,
        // The transfer and its credit, which is stored with the transfer and decided later.
        "TransactWriteItems transactions": 2 + 2 + 2,
        "TransactWriteItems transactions/history": 2,
        "TransactWriteItems transactions/due": 2,
        "TransactWriteItems wallets": 4,
      },
      readUnits: { "GetItem wallets": 1, "BatchGetItem wallets": 2 },
      failedCalls: 0,
    });
  });

  test("a sweep that finds nothing takes 16 queries of half a read unit", async () => {
    await sweep();
    expect(ledger.reset()).toEqual({
      ...{ dynamo: { Query: 16 }, sqs: {}, sns: {}, queueRequests: 0, writeUnits: {}, failedCalls: 0 },
      readUnits: { "Query transactions/due": 8 },
    });
  });

  test("publishing a write of ten decisions takes one read and ten requests to the topic, that of two users' decisions one each", async () => {
    const stream = await walletStream(ledger.environment.DYNAMODB_PORT, STAGE);
    const publishAfter = async (load: CommandLoad) => {
      await stream.next();
      await passCommands(load, functions);
      const Records = z.custom<DynamoDBStreamEvent["Records"]>().parse(await stream.next());
      ledger.reset();
      expect(await publish({ Records })).toEqual({ batchItemFailures: [] });
      return ledger.reset();
    };
    const ofOne = await publishAfter({ commands: 10, batch: 10, users: 1 });
    expect(ofOne).toMatchObject({ dynamo: { BatchGetItem: 1 }, sqs: {}, sns: { PublishBatch: 10 }, writeUnits: {} });
    const ofTwo = await publishAfter({ commands: 2, batch: 2, users: 2 });
    expect(ofTwo).toMatchObject({
      dynamo: { BatchGetItem: 1 },
      sqs: {},
      sns: { PublishBatch: 1 },
      readUnits: { "BatchGetItem transactions": 2 },
    });
  });

  test("failed calls and receives that find nothing are counted apart", async () => {
    const transaction = pendingTransaction("alice", "deposit", 1n);
    await dynamoStore.putPending(transaction);
    await dynamoStore.putPending(transaction);
    await sqs.send(new ReceiveMessageCommand({ QueueUrl: setting("COMMANDS_QUEUE_URL"), WaitTimeSeconds: 0 }));
    expect(ledger.reset()).toMatchObject({
      dynamo: { PutItem: 2 },
      sqs: { [EMPTY_RECEIVE]: 1 },
      writeUnits: { "PutItem transactions": 1 },
      failedCalls: 1,
    });
  });
});

describe("the bill", () => {
  const usage: Usage = {
    requests: 10,
    commands: 10,
    invocations: 11,
    cpuMs: 4,
    logBytes: 8900,
    aws: {
      dynamo: { PutItem: 10, GetItem: 1, TransactWriteItems: 1 },
      sqs: { SendMessage: 10, ReceiveMessage: 1, DeleteMessageBatch: 1 },
      sns: {},
      queueRequests: 12,
      writeUnits: writeUnits(10, 20, 10, 2),
      readUnits: { "GetItem wallets": 1 },
      failedCalls: 0,
    },
  };
  const prices = {
    ...pricing.prices,
    apiGatewayMillionRequests: { dollars: 1 },
    lambdaMillionRequests: { dollars: 0.2 },
    lambdaMillionGigabyteSeconds: { dollars: 10 },
    sqsFifoMillionRequests: { dollars: 0.5 },
    dynamoMillionWriteUnits: { dollars: 0.6 },
    dynamoMillionReadUnits: { dollars: 0.1 },
    dynamoStorageGigabyteMonth: { dollars: 0.25 },
    dynamoRecoveryGigabyteMonth: { dollars: 0.2 },
    logsGigabyte: { dollars: 0.5 },
  };
  const assumptions = {
    memoryMegabytes: 512,
    vCpuShare: 0.25,
    latencyMs: { PutItem: 5, GetItem: 4, TransactWriteItems: 12, SendMessage: 8 },
    platformLogBytes: 100,
  };

  test("has an item for each thing that is charged, in dollars for a million commands", () => {
    const lines = bill(usage, prices, assumptions).map(
      ({ item, perCommand, dollarsPerMillion }) =>
        [item, Number(perCommand.toFixed(6)), Number(dollarsPerMillion.toFixed(6))] as const,
    );
    expect(lines).toEqual([
      ["API Gateway", 1, 1],
      ["Lambda requests", 1.1, 0.22],
      // 10 × 5 + 4 + 12 + 10 × 8 ms of latency, 4 ms of CPU on a quarter of a core, 11 half milliseconds: 167.5 ms for ten.
      ["Lambda duration (assumed latency)", 16.75, 0.08375],
      ["Queue", 1.2, 0.6],
      ["Topic", 0, 0],
      ["Table: pending put", 1, 0.6],
      ["Table: decision", 2, 1.2],
      ["Table: wallet", 0.2, 0.12],
      ["Index", 1, 0.6],
      ["Reads", 0.1, 0.01],
      ["Logs", 1000, 0.5],
    ]);
  });

  test("bills the time of calls at once only once", () => {
    const durationOf = (callsAtOnce: Required<Usage>["callsAtOnce"]) =>
      bill({ ...usage, callsAtOnce }, prices, assumptions).find(({ item }) => item.startsWith("Lambda duration"));
    // Ten puts, five at a time, take 10 ms instead of 50.
    expect(durationOf({ PutItem: 5 })?.perCommand).toBeCloseTo(16.75 - 4);
  });

  test("charges every write, of operations and tables that do not exist yet too", () => {
    const writeUnits = { "UpdateItem wallets": 1, "BatchWriteItem statements": 2, "PutItem statements/byDay": 3 };
    const lines = bill({ ...usage, aws: { ...usage.aws, writeUnits } }, prices, assumptions);
    const billed = lines.filter(({ unit }) => unit === "write units").map(({ perCommand }) => perCommand);
    expect(billed.reduce((total, each) => total + each, 0)).toBeCloseTo(
      sum(Object.values(writeUnits)) / usage.commands,
    );
  });

  test("throws for a call without an assumed latency", () => {
    const aws = { ...usage.aws, dynamo: { UpdateItem: 1 } };
    expect(() => bill({ ...usage, aws }, prices, assumptions)).toThrow("UpdateItem");
  });

  test("charges storage for the table, the index and the recovery", () => {
    // 300 and 100 bytes of overhead, a million times, are 0.4 GB.
    expect(storageDollars(300, prices)).toBeCloseTo(0.4 * (0.25 + 0.25 + 0.2));
  });

  test("has a price for every monthly item", () => {
    for (const monthly of [...pricing.antlerMonth, ...pricing.postgresMonth]) {
      expect(monthDollars(monthly, pricing.prices), monthly.item).toBeGreaterThan(0);
    }
    expect(() => monthDollars({ item: "x", price: "gold", quantity: 1, arithmetic: "" }, pricing.prices)).toThrow(
      "gold",
    );
  });
});

test.each<[Parameters<typeof itemBytes>[0], number]>([
  [{ id: { S: "naïve" } }, 2 + 6],
  [{ n: { N: "0" } }, 1 + 1],
  [{ n: { N: "1200" } }, 1 + 2],
  [{ n: { N: "123" } }, 1 + 3],
  [{ m: { M: {} } }, 1 + 3],
  [{ m: { M: { USD: { N: "12" }, EUR: { N: "1" } } } }, 1 + 3 + (1 + 3 + 2) + (1 + 3 + 2)],
])("the size of %j is that of its names and values, by DynamoDB's rules", (item, bytes) => {
  expect(itemBytes(item)).toBe(bytes);
});
