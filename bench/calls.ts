import { once } from "node:events";
import { openSync } from "node:fs";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { devNull } from "node:os";
import { buffer } from "node:stream/consumers";
import * as z from "zod";
import { startDynamo, startSqs } from "../localstack/engines.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { freePorts } from "../testkit/stack.ts";

type Counts = Readonly<Record<string, number>>;

/** What was asked of DynamoDB and of SQS, and the capacity that DynamoDB takes for it. */
export interface Calls {
  /** By operation. */
  readonly dynamo: Counts;
  /** By operation; receives that found nothing stand apart, as {@link EMPTY_RECEIVE}. */
  readonly sqs: Counts;
  /** By operation and table, such as `PutItem transactions`, or index: `TransactWriteItems transactions/history`. */
  readonly writeUnits: Counts;
  readonly readUnits: Counts;
  /** Calls that DynamoDB refused. It charges for a failed condition too, but never says how much, so no units are counted. */
  readonly refused: number;
}

export const EMPTY_RECEIVE = "ReceiveMessage, empty";

/** The embedded engines, with a proxy before them that counts. */
export interface CountedEngines {
  /** Points the SDK, or a stack, at the proxy; `DYNAMODB_PORT` is the engine's own, where nothing is counted. */
  readonly environment: Readonly<Record<string, string>>;
  /** All that was counted since the last time. */
  take(): Calls;
  stop(): Promise<void>;
}

/**
 * The units are those that dynoxide reports. They follow what was measured on AWS
 * (https://github.com/nubo-db/dynoxide/pull/188): 2 a started KB for a write in a transaction, 1 for the index's share of
 * it, 1 for a consistent read, of a missing item too. DynamoDB Local's do not: of a transaction it reports one item a
 * table, and the index doubled.
 *
 * @throws SettingError where dynoxide does not install
 */
export async function startCountedEngines(): Promise<CountedEngines> {
  const ports = await freePorts("AWS_PORT", "DYNAMODB_PORT");
  const settings = readSettings({ ...ports, DYNAMODB_ENGINE: "dynoxide" });
  const dynamo = await startDynamo(settings, process.env, openSync(devNull, "w"));
  const sqs = await startSqs(settings);
  const counter = new Counter();
  const agent = new Agent({ keepAlive: true });

  const pass = async (asked: IncomingMessage, answered: ServerResponse) => {
    const [service = "", operation = ""] = String(asked.headers["x-amz-target"] ?? "").split(".");
    const isDynamo = service.startsWith("DynamoDB");
    const body = await buffer(asked);
    const told = isDynamo && CAPACITY_IN.has(operation) ? withCapacity(body) : body;
    const sent = request({
      host: "127.0.0.1",
      port: isDynamo ? settings.DYNAMODB_PORT : settings.AWS_PORT,
      agent,
      method: asked.method,
      path: asked.url,
      headers: { ...asked.headers, "content-length": told.length },
    });
    // A receive that nobody waits for any longer must not take a message.
    answered.once("close", () => sent.destroy());
    sent.on("error", () => answered.destroy());
    sent.end(told);
    const [answer]: IncomingMessage[] = await once(sent, "response");
    if (!answer) throw new Error("A response event has a response");
    const content = await buffer(answer);
    if (isDynamo) counter.addDynamo(operation, answer.statusCode, content);
    else if (service) counter.addSqs(operation, content);
    answered.writeHead(answer.statusCode ?? 502, answer.headers).end(content);
  };
  const proxy = createServer((asked, answered) => {
    pass(asked, answered).catch(() => answered.destroy());
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const address = proxy.address();
  const AWS_ENDPOINT_URL = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;

  return {
    environment: {
      ...awsEnvironment({ ...settings, AWS_ENDPOINT_URL }),
      AWS_ENDPOINT_URL,
      DYNAMODB_PORT: ports.DYNAMODB_PORT,
    },
    take: () => counter.take(),
    async stop() {
      proxy.close();
      proxy.closeAllConnections();
      agent.destroy();
      await Promise.all([sqs.stop(), dynamo.stop()]);
    },
  };
}

/** The operations that take capacity, by its kind. */
const CAPACITY_IN = new Map<string, "readUnits" | "writeUnits">([
  ["GetItem", "readUnits"],
  ["BatchGetItem", "readUnits"],
  ["TransactGetItems", "readUnits"],
  ["Query", "readUnits"],
  ["Scan", "readUnits"],
  ["PutItem", "writeUnits"],
  ["UpdateItem", "writeUnits"],
  ["DeleteItem", "writeUnits"],
  ["BatchWriteItem", "writeUnits"],
  ["TransactWriteItems", "writeUnits"],
]);

/** The engines here check no signature, so a request may grow on its way. */
function withCapacity(body: Buffer): Buffer {
  return Buffer.from(body.toString().replace("{", '{"ReturnConsumedCapacity":"INDEXES",'));
}

const units = z.object({ CapacityUnits: z.number() });
const consumed = z.object({
  TableName: z.string(),
  Table: units,
  GlobalSecondaryIndexes: z.record(z.string(), units).default({}),
});
const dynamoAnswer = z.object({
  ConsumedCapacity: z.union([consumed.transform((one) => [one]), z.array(consumed)]).default([]),
});
const sqsAnswer = z.object({ Messages: z.array(z.unknown()).default([]) });

class Counter {
  #calls = noCalls();

  addDynamo(operation: string, status: number | undefined, content: Buffer): void {
    add(this.#calls.dynamo, operation, 1);
    if (status !== 200) this.#calls.refused++;
    const kind = CAPACITY_IN.get(operation);
    if (status !== 200 || !kind) return;
    const { ConsumedCapacity } = dynamoAnswer.parse(JSON.parse(content.toString()));
    for (const { TableName, Table, GlobalSecondaryIndexes } of ConsumedCapacity) {
      // Tables are named `service-stage-what`.
      const table = TableName.slice(TableName.lastIndexOf("-") + 1);
      if (Table.CapacityUnits > 0) add(this.#calls[kind], `${operation} ${table}`, Table.CapacityUnits);
      for (const [index, { CapacityUnits }] of Object.entries(GlobalSecondaryIndexes)) {
        add(this.#calls[kind], `${operation} ${table}/${index}`, CapacityUnits);
      }
    }
  }

  addSqs(operation: string, content: Buffer): void {
    const empty =
      operation === "ReceiveMessage" && sqsAnswer.parse(JSON.parse(content.toString())).Messages.length === 0;
    add(this.#calls.sqs, empty ? EMPTY_RECEIVE : operation, 1);
  }

  take(): Calls {
    const calls = this.#calls;
    this.#calls = noCalls();
    return calls;
  }
}

function noCalls() {
  const none = (): Record<string, number> => ({});
  return { dynamo: none(), sqs: none(), writeUnits: none(), readUnits: none(), refused: 0 };
}

function add(counts: Record<string, number>, key: string, count: number): void {
  counts[key] = (counts[key] ?? 0) + count;
}

export function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
