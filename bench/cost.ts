import { QUEUE_BATCH_MAX } from "../lib/aws/queue.ts";
import { STATEMENTS_MAX } from "../lib/aws/store.ts";
import { derivedId } from "../lib/domain/id.ts";
import { BATCH_MAX } from "../lib/http/schemas.ts";
import { readArguments } from "../scripts/command.ts";
import { sum } from "../scripts/statistics.ts";
import { formatNumber, table } from "../scripts/table.ts";
import { bill, itemBytes, type MonthlyItem, monthDollars, storageDollars, type Usage } from "./bill.ts";
import {
  type BatchLoad,
  type CommandLoad,
  type Invocation,
  passBatches,
  passCommands,
  passRequests,
  STAGE,
  startFunctionBench,
} from "./lambda.ts";
import { ledgerReader } from "./ledgerReader.ts";
import pricing from "./prices.json" with { type: "json" };
import { walletStream } from "./walletStream.ts";
import { createUsers } from "./workloads.ts";

const USAGE = `Usage: npm run cost

What a million commands cost on AWS, and a ledger without commands. The functions' bundles run against the embedded engines, behind a proxy that counts: calls,
capacity units, queue requests, log bytes and CPU time are measured; prices and AWS's latencies come from bench/prices.json.`;

const SPREAD: CommandLoad = { commands: 400, batch: 1, users: 400 };
const HOT: CommandLoad = { commands: 400, batch: 10, users: 1 };
/** What an integration that pays many users sends, and one that has many commands for one user. */
const BATCHES = {
  "100 users": { batches: 20, users: 100, batch: 10 },
  "one user": { batches: 20, users: 1, batch: 1 },
} satisfies Record<string, BatchLoad>;
const MOVEMENTS = 200;
const SECONDS_A_MONTH = 730 * 3600;
const SWEEPS_A_MONTH = SECONDS_A_MONTH / 60;

readArguments({ usage: USAGE, usesLocalSettings: true });
await using bench = await startFunctionBench();
const functions = { accept: (await bench.start("commands")).invoke, consume: (await bench.start("consume")).invoke };
const [spread, hot] = [await measureUsage(SPREAD), await measureUsage(HOT)];
const transactions = await ledgerReader(bench.engines.environment.DYNAMODB_PORT, STAGE).items("transactions");
const storedBytes = sum(transactions.map(itemBytes)) / transactions.length;
const batches: Record<string, Usage> = {};
for (const [name, load] of Object.entries(BATCHES)) batches[name] = await measureBatches(load);
const movements = await measureMovements();
const published = { spread: await measureEvents(SPREAD), hot: await measureEvents(HOT) };
console.log(report(spread, hot, storedBytes, batches, movements, await measureSweep(), published));

/** Of the second of two passes. */
async function measureUsage(load: CommandLoad): Promise<Usage> {
  await passCommands(load, functions);
  bench.engines.reset();
  const { accepted, consumed } = await passCommands(load, functions);
  return usageSince(load.commands, load.commands, [...accepted, ...consumed]);
}

/** Of the second of two passes. */
async function measureBatches(load: BatchLoad): Promise<Usage> {
  await passBatches(load, functions);
  bench.engines.reset();
  const { accepted, consumed } = await passBatches(load, functions);
  const usage = usageSince(load.batches, load.batches * BATCH_MAX, [...accepted, ...consumed]);
  return {
    ...usage,
    callsAtOnce: {
      BatchExecuteStatement: BATCH_MAX / STATEMENTS_MAX,
      SendMessageBatch: Math.ceil(load.users / QUEUE_BATCH_MAX),
    },
  };
}

/** What the engines counted since the last reset, and the functions' invocations. */
function usageSince(requests: number, commands: number, invocations: readonly Invocation[]): Usage {
  const aws = bench.engines.reset();
  if (aws.failedCalls > 0) throw new Error("DynamoDB rejected calls, whose cost is not known");
  return {
    ...{ requests, commands, invocations: invocations.length, aws },
    cpuMs: sum(invocations.map(({ cpuMs }) => cpuMs)),
    logBytes: sum(invocations.map(({ logBytes }) => logBytes)),
  };
}

/** Movements between two users each, every command and credit delivered alone. */
async function measureMovements(): Promise<Readonly<Record<string, Usage>>> {
  const [senders, receivers] = [await createUsers(MOVEMENTS), await createUsers(MOVEMENTS)];
  const pairs = senders.flatMap((from, index) => {
    const to = receivers[index];
    return to ? [{ from, to }] : [];
  });
  type Pair = (typeof pairs)[number];
  const money = { currency: "USD", amount: "2.00" };
  /** @param recordsEach what the queue delivers for each request */
  const pass = (
    recordsEach: number,
    requestOf: (
      pair: Pair,
      index: number,
    ) => { by: Pair["from"]; of: Pair["from"]; path: string; id?: string; body: object },
  ) => {
    const requests = pairs.map((pair, index) => {
      const { by, of, path, body, id } = requestOf(pair, index);
      return { token: by.token, path, pathParameters: { userId: of.userId, ...(id !== undefined && { id }) }, body };
    });
    return passRequests(requests, { records: recordsEach * MOVEMENTS, batch: 1 }, functions);
  };
  const ten = { currency: "USD", amount: "10.00" };
  await pass(1, ({ from }) => ({ by: from, of: from, path: "deposits", body: ten }));
  await pass(1, ({ to }) => ({ by: to, of: to, path: "deposits", body: ten }));

  bench.engines.reset();
  const transfers = await pass(2, ({ from, to }) => ({
    ...{ by: from, of: from, path: "transfers", body: { to: to.userId, ...money } },
  }));
  const transfer = usageSince(MOVEMENTS, MOVEMENTS, [...transfers.accepted, ...transfers.consumed]);

  const holds = await pass(1, ({ from, to }) => ({
    ...{ by: from, of: from, path: "holds", body: { to: to.userId, ...money } },
  }));
  const captures = await pass(2, ({ from, to }, index) => ({
    ...{ by: to, of: from, path: "holds/{id}/captures", id: holds.ids[index] ?? "", body: {} },
  }));
  const held = [holds, captures].flatMap(({ accepted, consumed }) => [...accepted, ...consumed]);
  const holdAndCapture = usageSince(2 * MOVEMENTS, MOVEMENTS, held);

  const refunds = await pass(2, ({ from, to }, index) => {
    const id = derivedId("credit", from.userId, transfers.ids[index] ?? "");
    return { by: to, of: to, path: "transactions/{id}/reversals", id, body: { amount: "1.00" } };
  });
  const refund = usageSince(MOVEMENTS, MOVEMENTS, [...refunds.accepted, ...refunds.consumed]);
  return { transfer, "promised hold, capture": holdAndCapture, refund };
}

/** Every write alone in its batch of the stream, as at a low rate; a higher rate shares invocations, and requests to the topic. */
async function measureEvents(load: CommandLoad): Promise<Usage> {
  const publish = await bench.start("publish");
  const stream = await walletStream(bench.engines.environment.DYNAMODB_PORT, STAGE);
  const passAndPublish = async () => {
    await stream.next();
    await passCommands(load, functions);
    const records = await stream.next();
    bench.engines.reset();
    const invocations: Invocation[] = [];
    for (const record of records) invocations.push(await publish.invoke({ Records: [record] }));
    return usageSince(0, load.commands, invocations);
  };
  await passAndPublish();
  return passAndPublish();
}

/** One sweep that finds nothing. The first one of a process also sets up its connections. */
async function measureSweep(): Promise<Usage> {
  const { invoke } = await bench.start("sweep");
  await invoke({});
  bench.engines.reset();
  return usageSince(0, 1, [await invoke({})]);
}

function report(
  spread: Usage,
  hot: Usage,
  storedBytes: number,
  batches: Readonly<Record<string, Usage>>,
  movements: Readonly<Record<string, Usage>>,
  idleSweep: Usage,
  published: { readonly spread: Usage; readonly hot: Usage },
): string {
  const { latencyMs, memoryMegabytes, vCpuShare } = pricing.assumptions;
  const latencies = Object.entries(latencyMs).map(([operation, ms]) => `${operation} ${ms}`);
  const hotBill = bill(hot, pricing.prices, pricing.assumptions);
  const rows = bill(spread, pricing.prices, pricing.assumptions).map(
    ({ item, unit, perCommand, dollarsPerMillion }, index) => ({
      ...{ item, unit, "spread, each": perCommand, "spread, $": dollarsPerMillion },
      "hot wallet, each": hotBill[index]?.perCommand ?? Number.NaN,
      "hot wallet, $": hotBill[index]?.dollarsPerMillion ?? Number.NaN,
    }),
  );
  const totals = { spread: total(rows, "spread, $"), hot: total(rows, "hot wallet, $") };
  const [antler, postgres] = [
    [...monthRows(pricing.antlerMonth), sweepRow(idleSweep)],
    monthRows(pricing.postgresMonth),
  ];
  const equalCost = (perMillion: number) => {
    const millions = (total(postgres, "$") - total(antler, "$")) / perMillion;
    return `${millions.toFixed(1)} million commands a month (${((millions * 1e6) / SECONDS_A_MONTH).toFixed(1)} a second)`;
  };
  return `Dollars for a million commands in ${pricing.region}; bench/prices.json has every price with its source and date.
Spread: every user sends one command, delivered alone. Hot wallet: one user, ten commands a delivery.

${table([...rows, { item: "Sum", "spread, $": totals.spread, "hot wallet, $": totals.hot }])}

Assumed: AWS's latencies of ${latencies.join(", ")} ms; the measured CPU time,
${formatNumber(spread.cpuMs / spread.commands)} ms spread and ${formatNumber(hot.cpuMs / hot.commands)} ms hot, on a share of ${vCpuShare} of a core (${memoryMegabytes} MB), warm.
Left out: tracing, free tiers, volume discounts, cold starts, retries, data out to the internet.
Storing a million transactions of ${storedBytes.toFixed(0)} bytes each costs $${storageDollars(storedBytes, pricing.prices).toFixed(2)} a month, index and recovery included.

A million commands in batches of ${BATCH_MAX}, of ${BATCH_MAX} users, ten messages a delivery, or of one user, one message a delivery; units each and dollars:

${table(usageRows(batches))}

A million movements between two users, each command and each credit delivered alone, units each and dollars:

${table(usageRows(movements))}

Publishing a million decisions, in addition; nothing if the stage parameter events is false. Every write is alone in its batch of the
stream: spread, a decision a write; hot wallet, ten. Lambda's reads of the stream are free.

${table(usageRows(published).filter((row) => Object.values(row).some((value) => typeof value === "number" && value > 0)))}

Dollars a month before the first command, of Antler and of a ledger on Postgres:

${table([...antler, { item: "Antler", $: total(antler, "$") }])}

${table([...postgres, { item: "A ledger on Postgres", $: total(postgres, "$") }])}

Both cost the same at ${equalCost(totals.spread)} spread, or
${equalCost(totals.hot)} on hot wallets; below that Antler costs less. Left out for
Postgres: logs, metrics, alarms, traffic of the load balancer and of the NAT gateway, a second NAT gateway.`;
}

function usageRows(usages: Readonly<Record<string, Usage>>) {
  const bills = Object.entries(usages).map(
    ([name, usage]) => [name, bill(usage, pricing.prices, pricing.assumptions)] as const,
  );
  const [[, lines] = []] = bills;
  const rows = (lines ?? []).map(({ item, unit }, index) => ({
    ...{ item, unit },
    ...Object.fromEntries(
      bills.flatMap(([name, ofUsage]) => [
        [`${name}, each`, ofUsage[index]?.perCommand ?? Number.NaN],
        [`${name}, $`, ofUsage[index]?.dollarsPerMillion ?? Number.NaN],
      ]),
    ),
  }));
  const sums = bills.map(([name, ofUsage]) => [`${name}, $`, total(ofUsage, "dollarsPerMillion")]);
  return [...rows, { item: "Sum", ...Object.fromEntries(sums) }];
}

/** The scheduled sweep of a ledger in which nothing is due. */
function sweepRow(usage: Usage) {
  const lines = bill(usage, pricing.prices, pricing.assumptions);
  const [queries, units] = [sum(Object.values(usage.aws.dynamo)), sum(Object.values(usage.aws.readUnits))];
  return {
    item: "Sweep, every minute",
    arithmetic: `${SWEEPS_A_MONTH} × (1 invocation, ${queries} queries, ${units} read units, its logs)`,
    $: (total(lines, "dollarsPerMillion") * SWEEPS_A_MONTH) / 1e6,
  };
}

function monthRows(items: readonly MonthlyItem[]) {
  return items.map((item) => ({ item: item.item, arithmetic: item.arithmetic, $: monthDollars(item, pricing.prices) }));
}

function total<Column extends string>(rows: readonly Readonly<Record<Column, number>>[], column: Column): number {
  return sum(rows.map((row) => row[column]));
}
