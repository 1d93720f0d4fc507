import { openSync } from "node:fs";
import { devNull } from "node:os";
import * as z from "zod";
import { startDynamo, startSqs } from "../localstack/engines.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { freePorts } from "../test/support/stack.ts";
import { type AwsCall, startAwsProxy } from "../testkit/awsProxy.ts";

/** Calls to DynamoDB and SQS, and the capacity that DynamoDB consumed for them. */
export interface AwsUsage {
  /** By operation. */
  readonly dynamo: Record<string, number>;
  /** By operation; receives that found nothing are counted as {@link EMPTY_RECEIVE}. */
  readonly sqs: Record<string, number>;
  /** By operation and table, such as `PutItem transactions`, or index: `TransactWriteItems transactions/history`. */
  readonly writeUnits: Record<string, number>;
  readonly readUnits: Record<string, number>;
  /** Calls that DynamoDB rejected. AWS charges for a failed condition without reporting the units, so none are counted. */
  failedCalls: number;
}

export const EMPTY_RECEIVE = "ReceiveMessage, empty";

/** The embedded engines behind a proxy that counts. */
export interface CountedEngines extends AsyncDisposable {
  /** `AWS_ENDPOINT_URL` is the proxy; `AWS_PORT` and `DYNAMODB_PORT` are the engines themselves, where nothing is counted. */
  readonly environment: Readonly<Record<string, string>>;
  /** Returns the usage since the last reset, and starts again at zero. */
  reset(): AwsUsage;
}

/**
 * The capacity units are those that dynoxide reports. They follow what was measured on AWS
 * (https://github.com/nubo-db/dynoxide/pull/188): 2 a started KB for a write in a transaction, 1 for its index entry, 1 for a
 * consistent read, of a missing item too. DynamoDB Local reports one item a table for a transaction, and the index doubled.
 *
 * @throws SettingError where dynoxide does not install
 */
export async function startCountedEngines(): Promise<CountedEngines> {
  const ports = await freePorts("AWS_PORT", "DYNAMODB_PORT");
  const settings = readSettings({ ...ports, DYNAMODB_ENGINE: "dynoxide" });
  const dynamo = await startDynamo(settings, process.env, openSync(devNull, "w"));
  const sqs = await startSqs(settings);
  let usage = noUsage();
  const record = (call: AwsCall) => (call.service === "dynamodb" ? countDynamo : countSqs)(usage, call);
  const proxy = await startAwsProxy({ sqsPort: ports.AWS_PORT, dynamoPort: ports.DYNAMODB_PORT, record });
  const AWS_ENDPOINT_URL = proxy.url;
  return {
    environment: { ...awsEnvironment({ ...settings, AWS_ENDPOINT_URL }), AWS_ENDPOINT_URL, ...ports },
    reset() {
      const counted = usage;
      usage = noUsage();
      return counted;
    },
    async [Symbol.asyncDispose]() {
      proxy.stop();
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
const dynamoResponse = z.object({
  ConsumedCapacity: z.union([consumed.transform((one) => [one]), z.array(consumed)]).default([]),
});
const sqsResponse = z.object({ Messages: z.array(z.unknown()).default([]) });

function countDynamo(usage: AwsUsage, { operation, status, response }: AwsCall): void {
  add(usage.dynamo, operation, 1);
  if (status !== 200) {
    usage.failedCalls++;
    return;
  }
  const counts = /^(Query|Scan|(Batch|Transact)?GetItems?)$/.test(operation) ? usage.readUnits : usage.writeUnits;
  for (const capacity of dynamoResponse.parse(JSON.parse(response.toString())).ConsumedCapacity) {
    // Tables are named `service-stage-table`.
    const target = `${operation} ${capacity.TableName.slice(capacity.TableName.lastIndexOf("-") + 1)}`;
    add(counts, target, capacity.Table.CapacityUnits);
    for (const [index, { CapacityUnits }] of Object.entries(capacity.GlobalSecondaryIndexes)) {
      add(counts, `${target}/${index}`, CapacityUnits);
    }
  }
}

function countSqs(usage: AwsUsage, { operation, response }: AwsCall): void {
  const isReceive = operation === "ReceiveMessage";
  const isEmpty = isReceive && sqsResponse.parse(JSON.parse(response.toString())).Messages.length === 0;
  add(usage.sqs, isEmpty ? EMPTY_RECEIVE : operation, 1);
}

function noUsage(): AwsUsage {
  return { dynamo: {}, sqs: {}, writeUnits: {}, readUnits: {}, failedCalls: 0 };
}

function add(counts: Record<string, number>, key: string, count: number): void {
  if (count > 0) counts[key] = (counts[key] ?? 0) + count;
}
