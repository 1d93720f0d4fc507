import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type Calls, EMPTY_RECEIVE, sum } from "./calls.ts";
import book from "./prices.json" with { type: "json" };

/** What invocations used. */
export interface Used {
  invocations: number;
  cpuMs: number;
  /** Without Lambda's own lines. */
  logBytes: number;
}

export interface Usage extends Used {
  readonly commands: number;
  readonly calls: Calls;
  /** Mean size of a transaction's item once it is decided, by DynamoDB's rules. */
  readonly itemBytes: number;
}

type Prices = Readonly<Record<keyof typeof book.prices, { readonly dollars: number }>>;
type Assumptions = Pick<typeof book.assumptions, "memoryMegabytes" | "vCpuShare" | "platformLogBytes"> & {
  readonly latencyMs: Readonly<Record<string, number>>;
};

export interface Line {
  readonly line: string;
  readonly perCommand: number;
  readonly unit: string;
  readonly dollarsPerMillion: number;
}

/** @throws Error for a call whose latency nobody has assumed */
export function bill(usage: Usage, prices: Prices, assumptions: Assumptions): Line[] {
  const { calls, commands } = usage;
  const invocations = usage.invocations / commands;
  const milliseconds = durationMs(usage, assumptions) / commands;
  const logBytes = (usage.logBytes + usage.invocations * assumptions.platformLogBytes) / commands;
  const writes = (of: string) =>
    sum(Object.fromEntries(Object.entries(calls.writeUnits).filter(([what]) => writeLine(what) === of))) / commands;
  const line = (name: string, perCommand: number, unit: string, dollars: number): Line => ({
    line: name,
    perCommand,
    unit,
    dollarsPerMillion: perCommand * dollars,
  });
  const writeDollars = prices.dynamoMillionWriteUnits.dollars;
  return [
    line("API Gateway", 1, "requests", prices.apiGatewayMillionRequests.dollars),
    line("Lambda requests", invocations, "invocations", prices.lambdaMillionRequests.dollars),
    line(
      "Lambda duration (assumed latency)",
      milliseconds,
      "ms",
      (assumptions.memoryMegabytes / 1024 / 1000) * prices.lambdaMillionGigabyteSeconds.dollars,
    ),
    line("Queue", sum(calls.sqs) / commands, "requests", prices.sqsFifoMillionRequests.dollars),
    ...WRITE_LINES.map((name) => line(name, writes(name), "write units", writeDollars)),
    line("Reads", sum(calls.readUnits) / commands, "read units", prices.dynamoMillionReadUnits.dollars),
    line("Logs", logBytes, "bytes", prices.logsGigabyte.dollars / 1000),
  ];
}

const WRITE_LINES = ["Table: pending put", "Table: decision", "Table: wallet", "Index"] as const;

function writeLine(what: string): (typeof WRITE_LINES)[number] {
  if (what.includes("/")) return "Index";
  if (what.endsWith(" wallets")) return "Table: wallet";
  return what.startsWith("PutItem ") ? "Table: pending put" : "Table: decision";
}

/** What the functions are billed for: AWS's answers, their own CPU time on a share of a core, and half of a started millisecond. */
function durationMs({ calls, cpuMs, invocations }: Usage, { latencyMs, vCpuShare }: Assumptions): number {
  const own = Object.entries({ ...calls.dynamo, ...calls.sqs }).filter(([operation]) => !OF_THE_MAPPING.has(operation));
  const waits = own.map(([operation, count]) => {
    const ms = latencyMs[operation];
    if (ms === undefined) throw new Error(`prices.json assumes no latency of ${operation}`);
    return count * ms;
  });
  return waits.reduce((total, ms) => total + ms, 0) + cpuMs / vCpuShare + invocations / 2;
}

/** The event source mapping's requests, which are on the queue's bill and take none of the functions' time. */
const OF_THE_MAPPING = new Set(["ReceiveMessage", EMPTY_RECEIVE, "DeleteMessageBatch"]);

/** DynamoDB adds this to every item and every entry of an index. */
const STORED_OVERHEAD_BYTES = 100;

/** Dollars a month for keeping a million transactions: in the table, in its index, and in the table's recovery. */
export function storageDollars(bytes: number, prices: Prices): number {
  const gigabytes = ((bytes + STORED_OVERHEAD_BYTES) * 1e6) / 1e9;
  return gigabytes * (2 * prices.dynamoStorageGigabyteMonth.dollars + prices.dynamoRecoveryGigabyteMonth.dollars);
}

export interface Monthly {
  readonly line: string;
  readonly price: string;
  readonly quantity: number;
  readonly arithmetic: string;
}

/** @throws Error for a line whose price is not there */
export function monthDollars({ line, price, quantity }: Monthly, prices: Prices): number {
  const found = new Map<string, { dollars: number }>(Object.entries(prices)).get(price);
  if (!found) throw new Error(`${line}: prices.json has no ${price}`);
  return found.dollars * quantity;
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
export function itemBytes(item: Readonly<Record<string, AttributeValue>>): number {
  return Object.entries(item).reduce((total, [name, value]) => total + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes({ S, N, M }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return 1 + Math.ceil(N.replaceAll(/^-?0*|0*$/g, "").length / 2);
  if (M !== undefined) return 3 + Object.keys(M).length + itemBytes(M);
  throw new Error("The ledger stores strings, numbers and maps");
}
