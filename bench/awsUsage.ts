import { openSync } from "node:fs";
import { devNull } from "node:os";
import * as z from "zod";
import { startDynamo, startSqs } from "../localstack/engines.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { sum } from "../scripts/statistics.ts";
import { type AwsCall, startAwsProxy } from "../testkit/awsProxy.ts";
import { freePorts } from "../testkit/ports.ts";

/** Calls to DynamoDB, SQS and SNS, and the capacity that DynamoDB consumed for them. */
export interface AwsUsage {
  /** By operation. */
  readonly dynamo: Record<string, number>;
  /** By operation; receives that found nothing are counted as {@link EMPTY_RECEIVE}. */
  readonly sqs: Record<string, number>;
  /** By operation. */
  readonly sns: Record<string, number>;
  /** Requests as SQS bills them: each 64 KB of messages, sent or received, is one. */
  queueRequests: number;
  /** By operation and table, such as `PutItem transactions`, or index: `TransactWriteItems transactions/history`. */
  readonly writeUnits: Record<string, number>;
  readonly readUnits: Record<string, number>;
  /** Calls that DynamoDB rejected. AWS charges for a failed condition without reporting the units, so none are counted. */
  failedCalls: number;
}

export const EMPTY_RECEIVE = "ReceiveMessage, empty";

/**
 * Starts the embedded engines behind a proxy that counts. The capacity units are dynoxide's, which follow measurements on AWS
 * (https://github.com/nubo-db/dynoxide/pull/188); DynamoDB Local's do not.
 *
 * @throws SettingError where dynoxide does not install
 */
export async function startCountedEngines() {
  const ports = await freePorts("AWS_PORT", "DYNAMODB_PORT");
  const settings = readSettings({ ...ports, DYNAMODB_ENGINE: "dynoxide" });
  const dynamo = await startDynamo(settings, process.env, openSync(devNull, "w"));
  const sqs = await startSqs(settings);
  let usage = noUsage();
  const { url: AWS_ENDPOINT_URL, stop } = await startAwsProxy({
    ...{ sqsPort: ports.AWS_PORT, dynamoPort: ports.DYNAMODB_PORT },
    record: (call) => count(usage, call),
  });
  return {
    /** `AWS_ENDPOINT_URL` is the proxy; `AWS_PORT` and `DYNAMODB_PORT` are the engines, where nothing is counted. */
    environment: { ...awsEnvironment({ ...settings, AWS_ENDPOINT_URL }), AWS_ENDPOINT_URL, ...ports },
    /** Returns the usage since the last reset, and starts again at zero. */
    reset() {
      const counted = usage;
      usage = noUsage();
      return counted;
    },
    async [Symbol.asyncDispose]() {
      stop();
      await Promise.all([sqs.stop(), dynamo.stop()]);
    },
  };
}

const units = z.object({ CapacityUnits: z.number() });
const consumed = z.object({
  TableName: z.string(),
  Table: units,
  GlobalSecondaryIndexes: z.record(z.string(), units).default({}),
});
const awsResponse = z.object({
  ConsumedCapacity: z.union([consumed.transform((one) => [one]), z.array(consumed)]).default([]),
  Messages: z.array(z.object({ Body: z.string() })).default([]),
});
const sent = z.object({ MessageBody: z.string().default("") });
const sqsRequest = z.object({ ...sent.shape, Entries: z.array(sent).default([]) });
const QUEUE_REQUEST_BYTES = 64 * 1024;

function count(usage: AwsUsage, { service, operation, request, status, response }: AwsCall): void {
  if (service === "sns") {
    add(usage.sns, operation, 1);
    return;
  }
  const { ConsumedCapacity, Messages } = awsResponse.parse(JSON.parse(response.toString() || "{}"));
  const isEmpty = operation === "ReceiveMessage" && Messages.length === 0;
  add(service === "sqs" ? usage.sqs : usage.dynamo, isEmpty ? EMPTY_RECEIVE : operation, 1);
  if (service === "dynamodb" && status !== 200) usage.failedCalls++;
  if (service === "sqs") {
    const { MessageBody, Entries } = sqsRequest.parse(JSON.parse(request.toString()));
    const bodies = [MessageBody, ...Entries.map((entry) => entry.MessageBody), ...Messages.map(({ Body }) => Body)];
    const bytes = sum(bodies.map((body) => Buffer.byteLength(body)));
    usage.queueRequests += Math.max(1, Math.ceil(bytes / QUEUE_REQUEST_BYTES));
  }
  const kind = /^(Query|Scan|(Batch|Transact)?GetItems?)$/.test(operation) ? usage.readUnits : usage.writeUnits;
  for (const { TableName, Table, GlobalSecondaryIndexes } of ConsumedCapacity) {
    // Tables are named `service-stage-table`.
    const target = `${operation} ${TableName.slice(TableName.lastIndexOf("-") + 1)}`;
    add(kind, target, Table.CapacityUnits);
    for (const [index, ofIndex] of Object.entries(GlobalSecondaryIndexes)) {
      add(kind, `${target}/${index}`, ofIndex.CapacityUnits);
    }
  }
}

function noUsage(): AwsUsage {
  return { dynamo: {}, sqs: {}, sns: {}, queueRequests: 0, writeUnits: {}, readUnits: {}, failedCalls: 0 };
}

function add(counts: Record<string, number>, key: string, count: number): void {
  if (count > 0) counts[key] = (counts[key] ?? 0) + count;
}
