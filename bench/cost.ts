import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { parentPort, Worker } from "node:worker_threads";
import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { handler as accept } from "../functions/commands.ts";
import { handler as consume } from "../functions/consume.ts";
import { mapEventSource } from "../localstack/eventSourceMapping.ts";
import { issueToken } from "../localstack/identityProvider.ts";
import { readArguments } from "../scripts/command.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import {
  bill,
  itemBytes,
  type Line,
  type Monthly,
  monthDollars,
  storageDollars,
  type Usage,
  type Used,
} from "./bill.ts";
import { type CountedEngines, startCountedEngines } from "./calls.ts";
import { openLedger, TOKENS } from "./ledger.ts";
import { markdown } from "./markdown.ts";
import book from "./prices.json" with { type: "json" };

const USAGE = `Usage: npm run cost

What a million commands cost on AWS. The functions' own handlers run here, with the embedded engines behind a proxy that
counts: calls, units, queue requests, log bytes and CPU time are measured; prices and AWS's own times are in bench/prices.json.`;

export interface Workload {
  readonly commands: number;
  /** How many of one user the queue delivers at once. */
  readonly batch: number;
  readonly users: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

const SPREAD: Workload = { commands: 400, batch: 1, users: 400 };
const HOT: Workload = { commands: 400, batch: 10, users: 1 };

/** Sends deposits through the functions, with this in API Gateway's place and the local event source mapping in Lambda's. */
export async function passCommands({ commands, batch, users, metadata }: Workload, queueUrl: string): Promise<Used> {
  const used: Used = { invocations: 0, cpuMs: 0, logBytes: 0 };
  const userIds = Array.from({ length: users }, () => randomUUID());
  for (let index = 0; index < commands; index++) {
    const event = await depositEvent(userIds[index % users] ?? "", metadata);
    const response = await invoke(used, () => accept(event, { ...lambdaContext, awsRequestId: randomUUID() }));
    if (response.statusCode !== 202) throw new Error(`A deposit was answered with ${JSON.stringify(response)}`);
  }

  const source = { queueUrl, queueArn: "", batchSize: batch, maximumConcurrency: 1, region: "us-east-1" };
  const done = Promise.withResolvers<void>();
  let decided = 0;
  const stop = mapEventSource(source, async (event) => {
    const answer = await invoke(used, () => consume(event));
    decided += event.Records.length - answer.batchItemFailures.length;
    if (decided === commands) done.resolve();
    return answer;
  });
  await done.promise;
  await stop();
  return used;
}

async function depositEvent(userId: string, metadata: Workload["metadata"]) {
  const token = await issueToken({ subject: userId, ...TOKENS });
  const event = httpEvent({
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
    },
    pathParameters: { userId },
    body: JSON.stringify({ currency: "USD", amount: "12.34", reference: "order-20261123-000042", metadata }),
  });
  return { ...event, routeKey: "POST /v1/users/{userId}/deposits" };
}

/** Runs a handler; what it prints is counted instead of printed. */
async function invoke<T>(used: Used, handler: () => Promise<T>): Promise<T> {
  const { write } = process.stdout;
  process.stdout.write = (chunk: string | Uint8Array) => {
    used.logBytes += Buffer.byteLength(chunk);
    return true;
  };
  const before = process.threadCpuUsage();
  try {
    return await handler();
  } finally {
    const { user, system } = process.threadCpuUsage(before);
    used.cpuMs += (user + system) / 1000;
    used.invocations++;
    process.stdout.write = write;
  }
}

/** A thread of the functions' own, so that the CPU time is theirs and the environment that of a deployed stage. */
export async function serveFunctions(): Promise<void> {
  const { queueUrl } = await openLedger();
  parentPort?.on("message", async (workload: Workload) => {
    parentPort?.postMessage(await passCommands(workload, queueUrl));
  });
  parentPort?.postMessage("ready");
}

const DEPLOYED = {
  POWERTOOLS_LOG_LEVEL: "INFO",
  POWERTOOLS_SERVICE_NAME: "antler-prod",
  POWERTOOLS_METRICS_NAMESPACE: "Antler",
};

async function measure(workloads: readonly Workload[]): Promise<Usage[]> {
  const engines = await startCountedEngines();
  const functions = new Worker(`import(${JSON.stringify(import.meta.url)}).then((cost) => cost.serveFunctions())`, {
    eval: true,
    env: { ...process.env, ...engines.environment, ...DEPLOYED },
  });
  const pass = async (workload: Workload): Promise<Used> => {
    functions.postMessage(workload);
    const [used] = await once(functions, "message");
    return used;
  };
  try {
    await once(functions, "message");
    const usages: Usage[] = [];
    for (const workload of workloads) {
      await pass(workload);
      engines.take();
      const used = await pass(workload);
      const calls = engines.take();
      if (calls.refused > 0) throw new Error("DynamoDB refused calls, and nobody knows what it charges for them");
      usages.push({ ...used, commands: workload.commands, calls, itemBytes: await meanItemBytes(engines.environment) });
    }
    return usages;
  } finally {
    await functions.terminate();
    await engines.stop();
  }
}

/** Asks the engine itself, so that it is not counted. */
async function meanItemBytes(environment: CountedEngines["environment"]): Promise<number> {
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${environment.DYNAMODB_PORT}`,
    region: environment.AWS_REGION ?? "",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const { Items = [] } = await client.send(new ScanCommand({ TableName: "antler-bench-transactions" }));
  client.destroy();
  return Items.reduce((total, item) => total + itemBytes(item), 0) / Items.length;
}

const total = (lines: readonly Line[]) => lines.reduce((dollars, line) => dollars + line.dollarsPerMillion, 0);
const monthTotal = (lines: readonly Monthly[]) =>
  lines.reduce((dollars, line) => dollars + monthDollars(line, book.prices), 0);

function report(spread: Usage, hot: Usage): string {
  const [spreadBill, hotBill] = [spread, hot].map((usage) => bill(usage, book.prices, book.assumptions));
  if (!spreadBill || !hotBill) throw new Error("Two workloads make two bills");
  const [antler, postgres] = [monthTotal(book.antlerMonth), monthTotal(book.postgresMonth)];
  const { latencyMs, memoryMegabytes, vCpuShare } = book.assumptions;
  const latencies = Object.entries(latencyMs).map(([operation, ms]) => `${operation} ${ms}`);
  const cpu = ({ cpuMs, commands }: Usage) => (cpuMs / commands).toFixed(2);
  const breakEven = (lines: readonly Line[]) => {
    const millions = (postgres - antler) / total(lines);
    return `${millions.toFixed(1)} million commands a month (${((millions * 1e6) / SECONDS_A_MONTH).toFixed(1)} a second)`;
  };
  const perMillion = spreadBill.map(({ line, unit, perCommand, dollarsPerMillion }, index) => [
    line,
    unit,
    amount(perCommand),
    dollars(dollarsPerMillion),
    amount(hotBill[index]?.perCommand ?? 0),
    dollars(hotBill[index]?.dollarsPerMillion ?? 0),
  ]);
  const month = (lines: readonly Monthly[]) =>
    lines.map((line) => [line.line, line.arithmetic, dollars(monthDollars(line, book.prices))]);
  return [
    `Dollars for a million commands in ${book.region}; every price, with its source and its date, is in bench/prices.json.`,
    markdown(
      ["", "unit", "spread, each", "spread, $", "hot wallet, each", "hot wallet, $"],
      [...perMillion, ["Sum", "", "", dollars(total(spreadBill)), "", dollars(total(hotBill))]],
    ),
    bullets(
      "Spread: every user sends one command, and each is delivered alone. Hot wallet: one user, ten commands a delivery.",
      "Measured: invocations, queue requests, write and read units, log bytes.",
      `Assumed: ${latencies.join(", ")} ms as AWS's time to answer; the CPU time measured here, ${cpu(spread)} ms spread and ${cpu(hot)} ms hot, on a share of ${vCpuShare} of a core (${memoryMegabytes} MB), warm.`,
      "Left out: tracing, which is off by default, free tiers, volume discounts, cold starts, retries, data out to the internet.",
      `Keeping a million transactions of ${spread.itemBytes.toFixed(0)} bytes each: $${dollars(storageDollars(spread.itemBytes, book.prices))} a month for the table, its index and its recovery.`,
    ),
    "Dollars a month before the first command:",
    markdown(["Antler", "arithmetic", "$"], [...month(book.antlerMonth), ["Sum", "", dollars(antler)]]),
    markdown(
      ["A ledger on Postgres", "arithmetic", "$"],
      [...month(book.postgresMonth), ["Sum", "", dollars(postgres)]],
    ),
    bullets(
      `Even at ${breakEven(spreadBill)} spread, at ${breakEven(hotBill)} on hot wallets; below that Antler costs less.`,
      "Left out on the side of Postgres: logs, metrics, alarms, the load balancer's and the NAT gateway's traffic, a second NAT gateway.",
    ),
  ].join("\n\n");
}

const SECONDS_A_MONTH = 730 * 3600;
const bullets = (...lines: readonly string[]) => lines.map((line) => `- ${line}`).join("\n");
const dollars = (value: number) => value.toFixed(2);
const amount = (value: number) => String(Number(value.toFixed(value < 10 ? 2 : 0)));

if (import.meta.main) {
  readArguments({ usage: USAGE, usesLocalSettings: true });
  const [spread, hot] = await measure([SPREAD, HOT]);
  if (!spread || !hot) throw new Error("Two workloads are measured twice");
  console.log(report(spread, hot));
}
