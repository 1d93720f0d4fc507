import { cpSync, mkdirSync, mkdtempDisposableSync } from "node:fs";
import { join } from "node:path";
import { marshall } from "@aws-sdk/util-dynamodb";
import { writeCursor } from "../lib/http/cursor.ts";
import { readArguments, someOf, wholeNumber } from "../scripts/command.ts";
import { median } from "../scripts/statistics.ts";
import { formatNumber, table } from "../scripts/table.ts";
import { BenchClient } from "./client.ts";
import { acceptedAt, fillTables, HOT_USER, history, type Item, MEMORY_FOLDER } from "./fill.ts";
import { measure, medians, type Run, runInTurn } from "./measure.ts";
import { type BenchStack, startBenchStack } from "./stack.ts";
import { createUser, nowMs, type User, W1, W2 } from "./workloads.ts";

const USAGE = `Usage: npm run growth -- [--runs N] [--only 'empty,100 currencies']

Compares ledgers with a long history to an empty one, N times (3). Every stack works on a copy of tables that were filled before,
on a file system in memory, so that no disk is measured. Linux only.`;

const FOLDER = join(import.meta.dirname, "../.antler");
const TRANSACTIONS_A_USER = 100;
const READS = 200;

type Ledger = (typeof LEDGERS)[number];
/** The hot wallet's transactions are among all; the currencies are added to the seed's. */
const LEDGERS = [
  { name: "empty", transactions: 0, hotTransactions: 0, currencies: 0 },
  { name: "100,000 transactions", transactions: 100_000, hotTransactions: 10_000, currencies: 0 },
  { name: "1,000,000 transactions", transactions: 1_000_000, hotTransactions: 100_000, currencies: 0 },
  { name: "100 currencies", transactions: 0, hotTransactions: 0, currencies: 93 },
];

const { runs, only } = readArguments({
  usage: USAGE,
  options: { runs: wholeNumber(1).default(3), only: someOf(LEDGERS.map(({ name }) => name)).optional() },
  usesLocalSettings: true,
});
const ledgers = LEDGERS.filter(({ name }) => !only || only.includes(name));
const verifications: Readonly<Record<string, string | number>>[] = [];
mkdirSync(FOLDER, { recursive: true });
using folder = mkdtempDisposableSync(join(FOLDER, "growth-"));
for (const ledger of ledgers) await fillTables(join(folder.path, ledger.name), itemsOf(ledger));
const variants = ledgers.map((ledger) => ({ name: ledger.name, run: (round: number) => run(ledger, round === 1) }));
const results = await runInTurn(runs, variants);
console.log(`\n${table(comparison())}\n\n${table(verifications)}`);

function* itemsOf({ transactions, hotTransactions, currencies }: Ledger): Generator<Item> {
  for (let index = 1; index <= currencies; index++) {
    const code = `X${String(index).padStart(2, "0")}`;
    yield ["currencies", marshall({ code, name: `Currency ${index}`, exponent: index % 5, enabled: true })];
  }
  yield* history(HOT_USER, hotTransactions);
  const users = (transactions - hotTransactions) / TRANSACTIONS_A_USER;
  for (let user = 1; user <= users; user++) yield* history(`bench-${user}`, TRANSACTIONS_A_USER);
}

async function run({ name, hotTransactions }: Ledger, verifies: boolean): Promise<Run> {
  using copy = mkdtempDisposableSync(join(MEMORY_FOLDER, "antler-growth-"));
  cpSync(join(folder.path, name), copy.path, { recursive: true });
  await using stack = await startBenchStack({ DATA_DIR: copy.path });
  const hotUser = await createUser(HOT_USER);
  const manyUsers = await measure(stack, { ...W1, seconds: 10 });
  const oneUser = await measure(stack, { ...W2, seconds: 8 }, { users: [hotUser], warmUpSeconds: 1 });
  const { memoryMb } = stack.resources();
  const path = `/v1/users/${HOT_USER}`;
  const middle = Math.max(hotTransactions / 2, TRANSACTIONS_A_USER);
  const moment = acceptedAt(middle);
  const deep = writeCursor({ decidedAt: moment, sequence: middle });
  const result = {
    "W1 decided a second": manyUsers.decidedPerSecond,
    "W2 decided a second": oneUser.decidedPerSecond,
    errors: manyUsers.errors + oneUser.errors,
    "first page ms": await medianReadMs(stack, hotUser, `${path}/transactions?limit=25`),
    "deep page ms": await medianReadMs(stack, hotUser, `${path}/transactions?limit=25&cursor=${deep}`),
    "balances ms": await medianReadMs(stack, hotUser, `${path}/balances`),
    "balances as of ms": await medianReadMs(stack, hotUser, `${path}/balances?at=${moment}`),
    "statement ms": await medianReadMs(stack, hotUser, `${path}/statements?currency=USD&from=${moment}&limit=25`),
    ...memoryMb,
  };
  if (verifies) verifications.push({ ledger: name, ...(await stack.verify()) });
  return result;
}

async function medianReadMs({ apiUrl }: BenchStack, { token }: User, path: string): Promise<number> {
  const client = new BenchClient(apiUrl, 1);
  const latenciesMs = [];
  for (let read = 1; read <= READS; read++) {
    const startMs = nowMs();
    const { status } = await client.send(path, token);
    latenciesMs.push(nowMs() - startMs);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}`);
  }
  client.close();
  return median(latenciesMs);
}

/** Medians, each with its ratio to the first ledger's. */
function comparison() {
  const first = medians(results[0]?.runs ?? []);
  return results.map(({ name, runs }) => {
    const cells = Object.entries(medians(runs)).map(([column, value]) => {
      const ratio = formatNumber(value / (first[column] ?? Number.NaN));
      return [column, `${formatNumber(value)}${ratio && ` (${ratio})`}`] as const;
    });
    return { ledger: name, ...Object.fromEntries(cells) };
  });
}
