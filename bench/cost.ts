import { readArguments } from "../scripts/command.ts";
import { sum } from "../scripts/statistics.ts";
import { table } from "../scripts/table.ts";
import { type BillItem, bill, itemBytes, type MonthlyItem, monthDollars, storageDollars, type Usage } from "./bill.ts";
import { type CommandLoad, passCommands, STAGE, startFunctionBench } from "./lambda.ts";
import { LedgerReader } from "./ledgerReader.ts";
import book from "./prices.json" with { type: "json" };

const USAGE = `Usage: npm run cost

What a million commands cost on AWS. The functions' bundles run against the embedded engines, behind a proxy that counts: calls,
capacity units, queue requests, log bytes and CPU time are measured; prices and AWS's latencies come from bench/prices.json.`;

const SPREAD: CommandLoad = { commands: 400, batch: 1, users: 400 };
const HOT: CommandLoad = { commands: 400, batch: 10, users: 1 };
const SECONDS_A_MONTH = 730 * 3600;

readArguments({ usage: USAGE, usesLocalSettings: true });
await using bench = await startFunctionBench();
const functions = await bench.startCommandFunctions();
const [spread, hot] = [await measureUsage(SPREAD), await measureUsage(HOT)];
const ledger = new LedgerReader(bench.engines.environment.DYNAMODB_PORT ?? "", STAGE);
const itemSizes = (await ledger.items("transactions")).map(itemBytes);
console.log(report(spread, hot, sum(itemSizes) / itemSizes.length));

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
  const { latencyMs, memoryMegabytes, vCpuShare } = book.assumptions;
  const latencies = Object.entries(latencyMs).map(([operation, ms]) => `${operation} ${ms}`);
  const [spreadBill, hotBill] = [billOf(spread), billOf(hot)];
  const rows = spreadBill.map(({ item, unit, ...ofSpread }, index) => ({
    ...{ item, unit, ...billColumns("spread", ofSpread), ...billColumns("hot wallet", hotBill[index]) },
  }));
  const equalCost = (items: readonly BillItem[]) => {
    const millions = (monthTotal(book.postgresMonth) - monthTotal(book.antlerMonth)) / total(items);
    return `${millions.toFixed(1)} million commands a month (${((millions * 1e6) / SECONDS_A_MONTH).toFixed(1)} a second)`;
  };
  return `Dollars for a million commands in ${book.region}; bench/prices.json has every price with its source and date.
Spread: every user sends one command, delivered alone. Hot wallet: one user, ten commands a delivery.

${table([...rows, { item: "Sum", "spread, $": dollars(total(spreadBill)), "hot wallet, $": dollars(total(hotBill)) }])}

Assumed: AWS's latencies of ${latencies.join(", ")} ms; the CPU time that is measured here, ${(spread.cpuMs / spread.commands).toFixed(2)} ms
spread and ${(hot.cpuMs / hot.commands).toFixed(2)} ms hot, on a share of ${vCpuShare} of a core (${memoryMegabytes} MB), warm.
Left out: tracing, free tiers, volume discounts, cold starts, retries, data out to the internet.
Storing a million transactions of ${storedBytes.toFixed(0)} bytes each costs $${dollars(storageDollars(storedBytes, book.prices))} a month, index and recovery included.

Dollars a month before the first command:

${monthTable("Antler", book.antlerMonth)}

${monthTable("A ledger on Postgres", book.postgresMonth)}

Both cost the same at ${equalCost(spreadBill)} spread,
or at ${equalCost(hotBill)} on hot wallets; below that Antler costs less. Left out for
Postgres: logs, metrics, alarms, traffic of the load balancer and of the NAT gateway, a second NAT gateway.`;
}

function billOf(usage: Usage): BillItem[] {
  return bill(usage, book.prices, book.assumptions);
}

function billColumns(name: string, { perCommand = 0, dollarsPerMillion = 0 }: Partial<BillItem> = {}) {
  const each = Number(perCommand.toFixed(perCommand < 10 ? 2 : 0));
  return { [`${name}, each`]: String(each), [`${name}, $`]: dollars(dollarsPerMillion) };
}

function monthTable(title: string, items: readonly MonthlyItem[]): string {
  const rows = items.map((monthly) => {
    const { item, arithmetic } = monthly;
    return { [title]: item, arithmetic, $: dollars(monthDollars(monthly, book.prices)) };
  });
  return table([...rows, { [title]: "Sum", $: dollars(monthTotal(items)) }]);
}

function total(items: readonly BillItem[]): number {
  return sum(items.map(({ dollarsPerMillion }) => dollarsPerMillion));
}

function monthTotal(items: readonly MonthlyItem[]): number {
  return sum(items.map((item) => monthDollars(item, book.prices)));
}

function dollars(value: number): string {
  return value.toFixed(2);
}
