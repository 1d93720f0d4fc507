import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { sum } from "../scripts/statistics.ts";
import { type AwsUsage, EMPTY_RECEIVE } from "./awsUsage.ts";
import pricing from "./prices.json" with { type: "json" };

export interface Usage {
  /** Requests to the API. */
  readonly requests: number;
  /** What the bill is divided by: commands, or movements of several commands. */
  readonly commands: number;
  readonly invocations: number;
  readonly cpuMs: number;
  /** Calls that the functions make at the same time, by operation; one by default. */
  readonly callsAtOnce?: Readonly<Record<string, number>>;
  /** Without the lines that Lambda itself logs. */
  readonly logBytes: number;
  readonly aws: AwsUsage;
}

type Prices = Readonly<Record<keyof typeof pricing.prices, { readonly dollars: number }>>;
type Assumptions = Pick<typeof pricing.assumptions, "memoryMegabytes" | "vCpuShare" | "platformLogBytes"> & {
  readonly latencyMs: Readonly<Record<string, number>>;
};

/** @throws Error for a call that has no assumed latency */
export function bill(usage: Usage, prices: Prices, assumptions: Assumptions) {
  const { aws, commands, invocations } = usage;
  const writeDollars = prices.dynamoMillionWriteUnits.dollars;
  const written = (item: string) =>
    sum(Object.entries(aws.writeUnits).flatMap(([target, units]) => (writeItem(target) === item ? [units] : [])));
  const millisecondDollars = (assumptions.memoryMegabytes / 1024 / 1000) * prices.lambdaMillionGigabyteSeconds.dollars;
  const logBytes = usage.logBytes + invocations * assumptions.platformLogBytes;
  const items = [
    ["API Gateway", usage.requests, "requests", prices.apiGatewayMillionRequests.dollars],
    ["Lambda requests", invocations, "invocations", prices.lambdaMillionRequests.dollars],
    ["Lambda duration (assumed latency)", durationMs(usage, assumptions), "ms", millisecondDollars],
    ["Queue", aws.queueRequests, "requests", prices.sqsFifoMillionRequests.dollars],
    ["Topic", sum(Object.values(aws.sns)), "requests", prices.snsFifoMillionRequests.dollars],
    ...WRITE_ITEMS.map((item) => [item, written(item), "write units", writeDollars] as const),
    ["Reads", sum(Object.values(aws.readUnits)), "read units", prices.dynamoMillionReadUnits.dollars],
    ["Logs", logBytes, "bytes", prices.logsGigabyte.dollars / 1000],
  ] as const;
  return items.map(([item, quantity, unit, dollars]) => {
    const perCommand = quantity / commands;
    return { item, perCommand, unit, dollarsPerMillion: perCommand * dollars };
  });
}

const WRITE_ITEMS = ["Table: pending put", "Table: decision", "Table: wallet", "Index"] as const;

function writeItem(target: string): (typeof WRITE_ITEMS)[number] {
  if (target.includes("/")) return "Index";
  if (target.endsWith(" wallets")) return "Table: wallet";
  return /^(PutItem|BatchExecuteStatement) /.test(target) ? "Table: pending put" : "Table: decision";
}

/** Billed time: AWS's assumed latencies, the functions' CPU time on a share of a core, and rounding up to milliseconds. */
function durationMs(
  { aws, cpuMs, invocations, callsAtOnce = {} }: Usage,
  { latencyMs, vCpuShare }: Assumptions,
): number {
  const calls = Object.entries({ ...aws.dynamo, ...aws.sqs, ...aws.sns }).filter(
    ([operation]) => !MAPPING_CALLS.has(operation),
  );
  const waitsMs = calls.map(([operation, count]) => {
    const ms = latencyMs[operation];
    if (ms === undefined) throw new Error(`prices.json assumes no latency of ${operation}`);
    return (count * ms) / (callsAtOnce[operation] ?? 1);
  });
  return sum(waitsMs) + cpuMs / vCpuShare + invocations / 2;
}

/** Calls of the event source mapping: they are billed by SQS and take none of the functions' time. */
const MAPPING_CALLS = new Set(["ReceiveMessage", EMPTY_RECEIVE, "DeleteMessageBatch"]);

/** Dollars a month for storing a million transactions of this size: in the table, in its index, and in the table's recovery. */
export function storageDollars(bytes: number, prices: Prices): number {
  // DynamoDB adds 100 bytes to every item and every entry of an index.
  const gigabytes = (bytes + 100) / 1000;
  return gigabytes * (2 * prices.dynamoStorageGigabyteMonth.dollars + prices.dynamoRecoveryGigabyteMonth.dollars);
}

export type MonthlyItem = (typeof pricing.antlerMonth)[number];

/** @throws Error for an item without a price */
export function monthDollars({ item, price, quantity }: MonthlyItem, prices: Prices): number {
  const found = new Map<string, { dollars: number }>(Object.entries(prices)).get(price);
  if (!found) throw new Error(`${item}: prices.json has no ${price}`);
  return found.dollars * quantity;
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
export function itemBytes(item: Readonly<Record<string, AttributeValue>>): number {
  return sum(Object.entries(item).map(([name, value]) => Buffer.byteLength(name) + valueBytes(value)));
}

function valueBytes({ S, N, M }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return 1 + Math.ceil(N.replaceAll(/^-?0*|0*$/g, "").length / 2);
  if (M !== undefined) return 3 + Object.keys(M).length + itemBytes(M);
  throw new Error("The ledger stores strings, numbers and maps");
}
