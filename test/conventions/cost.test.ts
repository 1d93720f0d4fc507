import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { bill, itemBytes, monthDollars, storageDollars, type Usage } from "../../bench/bill.ts";
import { type CountedEngines, EMPTY_RECEIVE, startCountedEngines, sum } from "../../bench/calls.ts";
import { passCommands } from "../../bench/cost.ts";
import { openLedger } from "../../bench/ledger.ts";
import book from "../../bench/prices.json" with { type: "json" };
import { sqs } from "../../lib/aws/clients.ts";
import { dynamoStore } from "../../lib/aws/store.ts";

describe("the AWS usage of a command", () => {
  let engines: CountedEngines;
  let ledger: Awaited<ReturnType<typeof openLedger>>;

  beforeAll(async () => {
    engines = await startCountedEngines();
    for (const [name, value] of Object.entries(engines.environment)) vi.stubEnv(name, value);
    ledger = await openLedger();
    // A function reads the currencies and the key set once.
    await passCommands({ commands: 1, batch: 1, users: 1 }, ledger.queueUrl);
  });

  beforeEach(() => {
    engines.take();
  });

  afterAll(async () => {
    ledger.stop();
    await engines.stop();
    vi.unstubAllEnvs();
  });

  test("a new user's deposit: 6 write units, 1 read unit, 3 queue requests", async () => {
    const used = await passCommands({ commands: 1, batch: 1, users: 1 }, ledger.queueUrl);
    expect(used.invocations).toBe(2);
    const { dynamo, readUnits, ...others } = engines.take();
    expect([sum(dynamo), sum(readUnits)]).toEqual([3, 1]);
    expect(others).toEqual({
      sqs: { SendMessage: 1, ReceiveMessage: 1, DeleteMessageBatch: 1 },
      writeUnits: {
        "PutItem transactions": 1,
        "TransactWriteItems transactions": 2,
        "TransactWriteItems transactions/history": 1,
        "TransactWriteItems wallets": 2,
      },
      refused: 0,
    });
  });

  test("ten commands in one batch: one wallet read and one wallet write", async () => {
    const used = await passCommands({ commands: 10, batch: 10, users: 1 }, ledger.queueUrl);
    expect(used.invocations).toBe(11);
    const { dynamo, readUnits, ...others } = engines.take();
    expect([sum(dynamo), sum(readUnits)]).toEqual([12, 1]);
    expect(others).toEqual({
      sqs: { SendMessage: 10, ReceiveMessage: 1, DeleteMessageBatch: 1 },
      writeUnits: {
        "PutItem transactions": 10,
        "TransactWriteItems transactions": 20,
        "TransactWriteItems transactions/history": 10,
        "TransactWriteItems wallets": 2,
      },
      refused: 0,
    });
  });

  test("a transaction of more than 1 KB is charged twice, by the table and by the index", async () => {
    const metadata = { note: "n".repeat(500), purpose: "p".repeat(500) };
    await passCommands({ commands: 1, batch: 1, users: 1, metadata }, ledger.queueUrl);
    expect(engines.take().writeUnits).toEqual({
      "PutItem transactions": 2,
      "TransactWriteItems transactions": 4,
      "TransactWriteItems transactions/history": 2,
      "TransactWriteItems wallets": 2,
    });
  });

  test("failed calls and empty receives are counted separately", async () => {
    const transaction = {
      ...({ id: "tx_1", userId: "alice", type: "deposit", currency: "USD", exponent: 2, amountMinor: 1n } as const),
      ...{ reference: undefined, metadata: undefined, fingerprint: "f", createdAt: "2026-11-23T09:30:00.000Z" },
      decision: undefined,
    };
    await dynamoStore.putPending(transaction);
    await dynamoStore.putPending(transaction);
    await sqs.send(new ReceiveMessageCommand({ QueueUrl: ledger.queueUrl, WaitTimeSeconds: 0 }));
    expect(engines.take()).toMatchObject({
      dynamo: { PutItem: 2 },
      sqs: { [EMPTY_RECEIVE]: 1 },
      writeUnits: { "PutItem transactions": 1 },
      refused: 1,
    });
  });
});

describe("the cost of a command", () => {
  const usage: Usage = {
    commands: 10,
    invocations: 11,
    cpuMs: 4,
    logBytes: 8900,
    itemBytes: 300,
    calls: {
      dynamo: { PutItem: 10, GetItem: 1, TransactWriteItems: 1 },
      sqs: { SendMessage: 10, ReceiveMessage: 1, DeleteMessageBatch: 1 },
      writeUnits: {
        "PutItem transactions": 10,
        "TransactWriteItems transactions": 20,
        "TransactWriteItems transactions/history": 10,
        "TransactWriteItems wallets": 2,
      },
      readUnits: { "GetItem wallets": 1 },
      refused: 0,
    },
  };
  const prices = {
    ...book.prices,
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

  test("the bill of a million commands", () => {
    const lines = bill(usage, prices, assumptions).map(
      ({ line, perCommand, dollarsPerMillion }) =>
        [line, Number(perCommand.toFixed(6)), Number(dollarsPerMillion.toFixed(6))] as const,
    );
    expect(lines).toEqual([
      ["API Gateway", 1, 1],
      ["Lambda requests", 1.1, 0.22],
      // 10 × 5 + 4 + 12 + 10 × 8 ms of waiting, 4 ms of CPU on a quarter of a core, 11 half milliseconds: 167.5 ms for ten.
      ["Lambda duration (assumed latency)", 16.75, 0.08375],
      ["Queue", 1.2, 0.6],
      ["Table: pending put", 1, 0.6],
      ["Table: decision", 2, 1.2],
      ["Table: wallet", 0.2, 0.12],
      ["Index", 1, 0.6],
      ["Reads", 0.1, 0.01],
      ["Logs", 1000, 0.5],
    ]);
  });

  test("every write unit is billed", () => {
    const writeUnits = { "UpdateItem wallets": 1, "BatchWriteItem statements": 2, "PutItem statements/byDay": 3 };
    const lines = bill({ ...usage, calls: { ...usage.calls, writeUnits } }, prices, assumptions);
    const billed = lines.filter(({ unit }) => unit === "write units").map(({ perCommand }) => perCommand);
    expect(billed.reduce((total, each) => total + each, 0)).toBeCloseTo(sum(writeUnits) / usage.commands);
  });

  test("a call without an assumed latency is refused", () => {
    const calls = { ...usage.calls, dynamo: { UpdateItem: 1 } };
    expect(() => bill({ ...usage, calls }, prices, assumptions)).toThrow("UpdateItem");
  });

  test("storage is billed for the table, the index and the recovery", () => {
    // 300 and 100 bytes of overhead, a million times, are 0.4 GB.
    expect(storageDollars(300, prices)).toBeCloseTo(0.4 * (0.25 + 0.25 + 0.2));
  });

  test("every monthly line has a price", () => {
    for (const line of [...book.antlerMonth, ...book.postgresMonth]) {
      expect(monthDollars(line, book.prices), line.line).toBeGreaterThan(0);
    }
    expect(() => monthDollars({ line: "x", price: "gold", quantity: 1, arithmetic: "" }, book.prices)).toThrow("gold");
  });
});

test("an item has the size that DynamoDB bills", () => {
  const sizes: [Parameters<typeof itemBytes>[0], number][] = [
    [{ id: { S: "naïve" } }, 2 + 6],
    [{ n: { N: "0" } }, 1 + 1],
    [{ n: { N: "1200" } }, 1 + 2],
    [{ n: { N: "123" } }, 1 + 3],
    [{ m: { M: {} } }, 1 + 3],
    [{ m: { M: { USD: { N: "12" }, EUR: { N: "1" } } } }, 1 + 3 + (1 + 3 + 2) + (1 + 3 + 2)],
  ];
  for (const [item, bytes] of sizes) expect(itemBytes(item), JSON.stringify(item)).toBe(bytes);
});
