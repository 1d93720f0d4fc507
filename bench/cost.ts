import { readArguments } from "../scripts/command.ts";
import { sum } from "../scripts/statistics.ts";
import { formatNumber, table } from "../scripts/table.ts";
import { bill, itemBytes, type MonthlyItem, monthDollars, storageDollars, type Usage } from "./bill.ts";
import { type CommandLoad, passCommands, STAGE, startFunctionBench } from "./lambda.ts";
import { ledgerReader } from "./ledgerReader.ts";
import pricing from "./prices.json" with { type: "json" };

const USAGE = `Usage: npm run cost

What a million commands cost on AWS. The functions' bundles run against the embedded engines, behind a proxy that counts: calls,
capacity units, queue requests, log bytes and CPU time are measured; prices and AWS's latencies come from bench/prices.json.`;

const SPREAD: CommandLoad = { commands: 400, batch: 1, users: 400 };
const HOT: CommandLoad = { commands: 400, batch: 10, users: 1 };
const SECONDS_A_MONTH = 730 * 3600;

readArguments({ usage: USAGE, usesLocalSettings: true });
await using bench = await startFunctionBench();
const functions = { accept: (await bench.start("commands")).invoke, consume: (await bench.start("consume")).invoke };
const [spread, hot] = [await measureUsage(SPREAD), await measureUsage(HOT)];
const transactions = await ledgerReader(bench.engines.environment.DYNAMODB_PORT, STAGE).items("transactions");
console.log(report(spread, hot, sum(transactions.map(itemBytes)) / transactions.length));

/** Of the second of two passes. */
async function measureUsage(load: CommandLoad): Promise<Usage> {
  await passCommands(load, functions);
  bench.engines.reset();
  const { accepted, consumed } = await passCommands(load, functions);
  const aws = bench.engines.reset();
  if (aws.failedCalls > 0) throw new Error("DynamoDB rejected calls, whose cost is not known");
  const invocations = [...accepted, ...consumed];
  return {
    ...{ commands: load.commands, invocations: invocations.length, aws },
    cpuMs: sum(invocations.map(({ cpuMs }) => cpuMs)),
    logBytes: sum(invocations.map(({ logBytes }) => logBytes)),
  };
}

function report(spread: Usage, hot: Usage, storedBytes: number): string {
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
  const [antler, postgres] = [monthRows(pricing.antlerMonth), monthRows(pricing.postgresMonth)];
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

Dollars a month before the first command, of Antler and of a ledger on Postgres:

${table([...antler, { item: "Antler", $: total(antler, "$") }])}

${table([...postgres, { item: "A ledger on Postgres", $: total(postgres, "$") }])}

Both cost the same at ${equalCost(totals.spread)} spread, or
${equalCost(totals.hot)} on hot wallets; below that Antler costs less. Left out for
Postgres: logs, metrics, alarms, traffic of the load balancer and of the NAT gateway, a second NAT gateway.`;
}

function monthRows(items: readonly MonthlyItem[]) {
  return items.map((item) => ({ item: item.item, arithmetic: item.arithmetic, $: monthDollars(item, pricing.prices) }));
}

function total<Column extends string>(rows: readonly Readonly<Record<Column, number>>[], column: Column): number {
  return sum(rows.map((row) => row[column]));
}
