import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { ports } from "../lib/aws/adapters.ts";
import { dynamo } from "../lib/aws/clients.ts";
import { type ConsumePorts, consume } from "../lib/ledger/consume.ts";
import type { QueueRecord } from "../lib/ledger/ports.ts";
import { setting } from "../lib/runtime/config.ts";
import { readArguments } from "../scripts/command.ts";
import { startBenchEngines } from "./engines.ts";
import { median } from "./figures.ts";
import { markdown } from "./markdown.ts";
import { acceptDeposits } from "./pending.ts";

const USAGE = `Usage: npm run naive

What the fold is worth: one hot wallet's commands come in batches of ten, once to the consumer and once to a naive one, which
is the same code with one message at a time, so that it reads and writes the wallet for every command. Both meet the same
machine in turn.`;

const BATCH = 10;
const ROUNDS = 8;
/** The first is to warm up. */
const ROUNDS_DROPPED = 1;

/** How long each call to DynamoDB is held up before it goes out, in milliseconds; and the batches of a round. */
const CASES = [
  { delayMs: 0, batches: 25 },
  { delayMs: 5, batches: 8 },
];

/** What became of some commands, and what DynamoDB was asked for to that end. */
interface Counts {
  commands: number;
  walletReads: number;
  walletWrites: number;
  /** Transactions that were written as decided. */
  decisions: number;
}

interface Round {
  readonly wallMs: number;
  readonly cpuMs: number;
}

type Handle = (records: readonly QueueRecord[], consumePorts: ConsumePorts) => Promise<string[]>;

const handlers = {
  fold: consume,
  async naive(records, consumePorts) {
    const failed = [];
    for (const record of records) failed.push(...(await consume([record], consumePorts)));
    return failed;
  },
} satisfies Record<string, Handle>;

type Kind = keyof typeof handlers;
const KINDS = ["fold", "naive"] as const satisfies readonly Kind[];

/** Nothing is logged or counted: what is measured is to read, decide and write. */
const observer = {
  committed() {},
  retried() {},
  deadLettered() {},
  failed(_recordIds: readonly string[], error: unknown) {
    console.error(error);
  },
};

let watched: { readonly counts: Counts; readonly delayMs: number } | undefined;

readArguments({ usage: USAGE, usesLocalSettings: true });
const engines = await startBenchEngines();
watchCalls();
try {
  for (const { delayMs, batches } of CASES) {
    const counts = { fold: newCounts(), naive: newCounts() };
    const rounds: Record<Kind, Round[]> = { fold: [], naive: [] };
    const wallets = { fold: `hot-${randomUUID()}`, naive: `hot-${randomUUID()}` };
    for (let round = 1; round <= ROUNDS; round++) {
      for (const kind of KINDS) {
        const records = await acceptDeposits(Array(batches * BATCH).fill(wallets[kind]));
        rounds[kind].push(await measure(handlers[kind], records, counts[kind], delayMs));
      }
    }
    const commands = ROUNDS * batches * BATCH;
    for (const kind of KINDS) await check(wallets[kind], commands);
    if (delayMs === 0) console.log(`${unitsTable(counts)}\n`);
    console.log(`${timesTable(delayMs, batches, rounds)}\n`);
  }
} finally {
  await engines.stop();
}

function newCounts(): Counts {
  return { commands: 0, walletReads: 0, walletWrites: 0, decisions: 0 };
}

async function measure(
  handle: Handle,
  records: readonly QueueRecord[],
  counts: Counts,
  delayMs: number,
): Promise<Round> {
  watched = { counts, delayMs };
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  for (let start = 0; start < records.length; start += BATCH) {
    const failed = await handle(records.slice(start, start + BATCH), { ...ports, observer });
    if (failed.length > 0) throw new Error(`${failed.length} records failed`);
  }
  const wallMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  watched = undefined;
  counts.commands += records.length;
  return { wallMs, cpuMs: (user + system) / 1000 };
}

/** Counts what DynamoDB is asked for and holds it up, as long as anything is watched. */
function watchCalls(): void {
  dynamo.middlewareStack.add(
    (next) => async (args) => {
      if (!watched) return next(args);
      const { counts, delayMs } = watched;
      const { input } = args;
      if ("TransactItems" in input) {
        const tables = input.TransactItems?.map((item) => "Update" in item && item.Update?.TableName) ?? [];
        counts.walletWrites += tables.filter((name) => name === setting("WALLETS_TABLE")).length;
        counts.decisions += tables.filter((name) => name === setting("TRANSACTIONS_TABLE")).length;
      } else {
        counts.walletReads++;
      }
      if (delayMs > 0) await setTimeout(delayMs);
      return next(args);
    },
    { step: "initialize" },
  );
}

/** Both ways must have come to the same. */
async function check(userId: string, commands: number): Promise<void> {
  const wallet = await ports.store.readWallet(userId);
  if (wallet?.sequence !== commands || wallet.balances.get("USD") !== BigInt(commands) * 100n) {
    throw new Error(`The wallet of ${userId} does not hold ${commands} deposits`);
  }
}

/**
 * As DynamoDB bills items of up to 1 KB: an item written in a transaction is 2 units, the entry in the history's index 1,
 * the transaction put as pending 1, a consistent read 1.
 */
function unitsTable(counts: Readonly<Record<Kind, Counts>>): string {
  const rows: [string, (of: Counts) => number][] = [
    [
      "all: pending put, decision, wallet, index",
      ({ walletWrites, decisions }) => 2 * walletWrites + (1 + 2 + 1) * decisions,
    ],
    ["the decision's write: decision and wallet", ({ walletWrites, decisions }) => 2 * walletWrites + 2 * decisions],
    ["the wallet's item", ({ walletWrites }) => 2 * walletWrites],
    ["the user's part of the transactions table", ({ decisions }) => (1 + 2) * decisions],
    ["read units", ({ walletReads }) => walletReads],
  ];
  return markdown(
    ["units a command", "fold", "naive", "naive ÷ fold", "the most that any fold can give"],
    rows.map(([what, units]) => {
      const [fold, naive] = [units(counts.fold) / counts.fold.commands, units(counts.naive) / counts.naive.commands];
      // A fold of everything writes the wallet for nothing.
      const endless = units({ ...counts.fold, walletWrites: 0, walletReads: 0 }) / counts.fold.commands;
      const most = endless > 0 ? (naive / endless).toFixed(2) : "no limit";
      return [what, fold.toFixed(2), naive.toFixed(2), (naive / fold).toFixed(2), most];
    }),
  );
}

function timesTable(delayMs: number, batches: number, rounds: Readonly<Record<Kind, readonly Round[]>>): string {
  const title = delayMs === 0 ? "the engine as it is" : `each call held up for ${delayMs} ms`;
  const rows = (["wallMs", "cpuMs"] as const).map((of) => {
    const perSecond = (kind: Kind) =>
      rounds[kind].slice(ROUNDS_DROPPED).map((round) => (batches * BATCH * 1000) / round[of]);
    const [fold, naive] = [perSecond("fold"), perSecond("naive")];
    const ratios = fold.map((figure, index) => figure / (naive[index] ?? Number.NaN));
    return [
      of === "wallMs" ? "second" : "second of CPU",
      median(fold).toFixed(0),
      median(naive).toFixed(0),
      median(ratios).toFixed(2),
      `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
    ];
  });
  return markdown([`commands per …, ${title}`, "fold", "naive", "fold ÷ naive", "rounds"], rows);
}
