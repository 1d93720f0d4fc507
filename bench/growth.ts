import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { writeCursor } from "../lib/http/cursor.ts";
import { readArguments, someOf, wholeNumber } from "../scripts/command.ts";
import { collect } from "../testkit/stack.ts";
import { BenchClient } from "./client.ts";
import { median } from "./figures.ts";
import { HOT_USER, MEMORY_FOLDER, makeDatabase, type Put, putHistory } from "./history.ts";
import { markdown } from "./markdown.ts";
import { type ByPart, PARTS, peakMemoryMb } from "./processes.ts";
import { startBenchStack } from "./stack.ts";
import { openWallets, send, WORKLOADS } from "./workloads.ts";

const USAGE = `Usage: npm run growth -- [--runs N] [--only 'empty,100 currencies']

What the ledger does with a long history, beside what it does with none, N times (3). Every stack works on a copy of tables
that were filled before, in memory as a file system, so that no disk is measured. Linux only.`;

const ROOT = join(import.meta.dirname, "..");
const FILLS = join(ROOT, ".antler/growth");
const TRANSACTIONS_A_USER = 100;
const WARM_UP_SECONDS = 4;
const W1_SECONDS = 10;
const W2_SECONDS = 8;
const READS = 200;

interface Ledger {
  readonly name: string;
  readonly transactions: number;
  /** Those of them that are the hot wallet's. */
  readonly hotTransactions: number;
  /** Currencies beside those of the seed. */
  readonly currencies: number;
}

const LEDGERS: readonly Ledger[] = [
  { name: "empty", transactions: 0, hotTransactions: 0, currencies: 0 },
  { name: "100,000 transactions", transactions: 100_000, hotTransactions: 10_000, currencies: 0 },
  { name: "1,000,000 transactions", transactions: 1_000_000, hotTransactions: 100_000, currencies: 0 },
  { name: "100 currencies", transactions: 0, hotTransactions: 0, currencies: 93 },
];

interface Result {
  readonly ledger: string;
  readonly w1PerSecond: number;
  readonly w2PerSecond: number;
  readonly errors: number;
  readonly firstPageMs: number;
  readonly deepPageMs: number;
  readonly balancesMs: number;
  readonly memoryMb: ByPart;
}

interface Verification {
  readonly ledger: string;
  readonly output: string;
  readonly seconds: number;
  readonly peakMb: number;
}

const { runs, only } = readArguments({
  usage: USAGE,
  options: { runs: wholeNumber(1).default(3), only: someOf(LEDGERS.map(({ name }) => name)).optional() },
  usesLocalSettings: true,
});
const ledgers = LEDGERS.filter(({ name }) => !only || only.includes(name));
const w1 = workload("W1");
const w2 = workload("W2");
const results: Result[] = [];
const verifications: Verification[] = [];
const fills = folderOfFills();
for (const ledger of ledgers) await fillOnce(ledger);
for (let round = 1; round <= runs; round++) {
  for (const ledger of ledgers) {
    const result = await measure(ledger, round === 1);
    results.push(result);
    console.log(JSON.stringify(result));
  }
}
writeFileSync(join(ROOT, ".antler/growth.json"), JSON.stringify({ results, verifications }, undefined, 2));
console.log(`\n${tableOfFigures()}\n\n${tableOfVerifications()}`);

function workload(name: string) {
  const found = WORKLOADS.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`There is no workload ${name}`);
  return found;
}

/** Filled tables are kept for later runs, until the code that made them changes. */
function folderOfFills(): string {
  const code = ["bench/growth.ts", "bench/history.ts", "lib/aws/items.ts", "lib/domain/wallet.ts", "infra/tables.yml"];
  const hash = createHash("sha256");
  for (const file of code) hash.update(readFileSync(join(ROOT, file)));
  const name = hash.digest("hex").slice(0, 12);
  mkdirSync(FILLS, { recursive: true });
  for (const other of readdirSync(FILLS)) {
    if (other !== name) rmSync(join(FILLS, other), { recursive: true });
  }
  return join(FILLS, name);
}

async function fillOnce(ledger: Ledger): Promise<void> {
  const folder = filled(ledger);
  if (existsSync(folder)) return;
  const draft = `${folder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  await makeDatabase(draft, async (put) => {
    await putCurrencies(ledger.currencies, put);
    await putHistory(HOT_USER, ledger.hotTransactions, put);
    const users = (ledger.transactions - ledger.hotTransactions) / TRANSACTIONS_A_USER;
    for (let user = 1; user <= users; user++) await putHistory(`bench-${user}`, TRANSACTIONS_A_USER, put);
  });
  renameSync(draft, folder);
}

function filled({ transactions, currencies }: Ledger): string {
  return join(fills, `${transactions}-transactions-${currencies}-currencies`);
}

async function putCurrencies(count: number, put: Put): Promise<void> {
  for (let index = 1; index <= count; index++) {
    const code = `X${String(index).padStart(2, "0")}`;
    await put("CurrenciesTable", { code, name: `Currency ${index}`, exponent: index % 5, enabled: true });
  }
}

async function measure(ledger: Ledger, isToVerify: boolean): Promise<Result> {
  const folder = mkdtempSync(join(MEMORY_FOLDER, "antler-growth-"));
  cpSync(filled(ledger), folder, { recursive: true });
  const stack = await startBenchStack({ DATA_DIR: folder });
  try {
    const { apiUrl, books } = stack;
    const hot = await openWallets(w2, [HOT_USER]);
    await send(w1, await openWallets(w1), apiUrl, WARM_UP_SECONDS);
    await send(w2, hot, apiUrl, 1);
    const perSecond = async (work: typeof w1, wallets: typeof hot, seconds: number) => {
      await books.untilStill();
      const decidedBefore = await books.decided();
      const startedMs = performance.now();
      const { errors } = await send(work, wallets, apiUrl, seconds);
      const elapsedSeconds = (performance.now() - startedMs) / 1000;
      return { decided: ((await books.decided()) - decidedBefore) / elapsedSeconds, errors };
    };
    const ofMany = await perSecond(w1, await openWallets(w1), W1_SECONDS);
    const ofOne = await perSecond(w2, hot, W2_SECONDS);
    await books.untilStill();
    const memoryMb = stack.memoryMb();

    const history = `/v1/users/${HOT_USER}/transactions?limit=25`;
    const deep = writeCursor(Math.max(ledger.hotTransactions / 2, TRANSACTIONS_A_USER));
    const result = {
      ledger: ledger.name,
      w1PerSecond: ofMany.decided,
      w2PerSecond: ofOne.decided,
      errors: ofMany.errors + ofOne.errors,
      firstPageMs: await readMs(apiUrl, hot, history),
      deepPageMs: await readMs(apiUrl, hot, `${history}&cursor=${deep}`),
      balancesMs: await readMs(apiUrl, hot, `/v1/users/${HOT_USER}/balances`),
      memoryMb,
    };
    if (isToVerify) verifications.push(await verify(ledger, stack.environment));
    return result;
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Median of reads that are made one after the other. */
async function readMs(apiUrl: string, [owner]: Awaited<ReturnType<typeof openWallets>>, path: string): Promise<number> {
  const client = new BenchClient(apiUrl, 1);
  const latenciesMs: number[] = [];
  for (let read = 1; read <= READS; read++) {
    const startedMs = performance.now();
    const { status } = await client.send("GET", path, owner?.token ?? "");
    latenciesMs.push(performance.now() - startedMs);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}`);
  }
  client.close();
  return median(latenciesMs);
}

async function verify({ name }: Ledger, environment: Readonly<Record<string, string>>): Promise<Verification> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, ["scripts/verify.ts"], {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const [[code], peakMb] = await Promise.all([once(child, "close"), peakMemoryMb(child)]);
  if (code !== 0) throw new Error(`The books do not verify: ${output()}`);
  const [counts = ""] = output().split("\n");
  return { ledger: name, output: counts, seconds: (performance.now() - startedMs) / 1000, peakMb };
}

/** Medians, and beside each the ratio to the empty ledger's. */
function tableOfFigures(): string {
  const columns: { readonly title: string; readonly digits: number; readonly of: (result: Result) => number }[] = [
    { title: "W1 decided a second", digits: 0, of: ({ w1PerSecond }) => w1PerSecond },
    { title: "W2 decided a second", digits: 0, of: ({ w2PerSecond }) => w2PerSecond },
    { title: "first page ms", digits: 1, of: ({ firstPageMs }) => firstPageMs },
    { title: "deep page ms", digits: 1, of: ({ deepPageMs }) => deepPageMs },
    { title: "balances ms", digits: 1, of: ({ balancesMs }) => balancesMs },
    ...PARTS.map((part) => ({ title: `${part} MB`, digits: 0, of: ({ memoryMb }: Result) => memoryMb[part] })),
  ];
  const medianOf = ({ name }: Ledger, of: (result: Result) => number) =>
    median(results.filter(({ ledger }) => ledger === name).map(of));
  const [first] = ledgers;
  if (!first) throw new Error("There is no ledger to measure");
  const rows = ledgers.map((ledger) => {
    const cells = columns.map(({ digits, of }) => {
      const figure = medianOf(ledger, of);
      return `${figure.toFixed(digits)} (${(figure / medianOf(first, of)).toFixed(2)})`;
    });
    const errors = results
      .filter((result) => result.ledger === ledger.name)
      .reduce((sum, result) => sum + result.errors, 0);
    return [ledger.name, ...cells, String(errors)];
  });
  return markdown(["ledger", ...columns.map(({ title }) => title), "errors"], rows);
}

function tableOfVerifications(): string {
  return markdown(
    ["ledger", "verify says", "seconds", "peak MB"],
    verifications.map(({ ledger, output, seconds, peakMb }) => [ledger, output, seconds.toFixed(1), peakMb.toFixed(0)]),
  );
}
