import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { readArguments, someOf, wholeNumber } from "../scripts/command.ts";
import { type Calls, EMPTY_RECEIVE, startCountedEngines, sum } from "./calls.ts";
import { median, percentile } from "./figures.ts";
import { markdown } from "./markdown.ts";
import { PARTS } from "./processes.ts";
import { startBenchStack } from "./stack.ts";
import { openWallets, send, WORKLOADS, type Workload } from "./workloads.ts";

const USAGE = `Usage: npm run bench -- [--runs N] [--only ${WORKLOADS.map(({ name }) => name).join(",")}] [--vs GIT-REF]

Starts a stack of its own for each of N runs (3), loads it, counts what the table says was decided, and verifies the ledger.
With --vs another version of the code is measured in turn with this one, so that both meet the same machine. A short pass
before them counts what a command asks of AWS. Linux only.`;

const ROOT = join(import.meta.dirname, "..");
const WARM_UP_SECONDS = 4;
const COUNT_SECONDS = 3;

interface Result {
  readonly version: string;
  readonly workload: string;
  /** Commands that the table says were decided, a second of the load. */
  readonly decidedPerSecond: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
  /** From the time that a request was due to its `postedAt`, in an open loop. */
  readonly postedP99Ms: number | undefined;
  /** Milliseconds of CPU for a request, by process. */
  readonly cpuMs: Readonly<Record<string, number>>;
}

/** What a pass asked of AWS, its reads of balances included. */
interface Counted extends Calls {
  readonly version: string;
  readonly workload: string;
  readonly commands: number;
}

const { runs, only, vs } = readArguments({
  usage: USAGE,
  options: {
    runs: wholeNumber(1).default(3),
    only: someOf(WORKLOADS.map(({ name }) => name)).optional(),
    vs: z.string().refine(isCommit, "must be a commit, a branch or a tag of this repository").optional(),
  },
  usesLocalSettings: true,
});
const workloads = WORKLOADS.filter(({ name }) => !only || only.includes(name));
const versions = [{ version: "here", folder: ROOT }];
if (vs) versions.push({ version: vs, folder: checkOut(vs) });

const results: Result[] = [];
const counts: Counted[] = [];
for (const workload of workloads) {
  for (const { version, folder } of versions) counts.push(await count(version, folder, workload));
  for (let round = 1; round <= runs; round++) {
    for (const { version, folder } of versions) {
      const result = await measure(version, folder, workload);
      results.push(result);
      console.log(describe(result));
    }
  }
}
mkdirSync(join(ROOT, ".antler"), { recursive: true });
writeFileSync(join(ROOT, ".antler/bench.json"), JSON.stringify({ results, counts }, undefined, 2));
console.log(`\n${table(results)}\n\n${countTable(counts)}`);

async function measure(version: string, folder: string, workload: Workload): Promise<Result> {
  const stack = await startBenchStack({}, folder);
  try {
    const { apiUrl, books } = stack;
    await send(workload, await openWallets(workload), apiUrl, WARM_UP_SECONDS);
    await books.untilStill();

    const wallets = await openWallets(workload);
    const [decidedBefore, cpuBefore] = [await books.decided(), stack.cpuMs()];
    const startedMs = performance.now();
    const sent = await send(workload, wallets, apiUrl, workload.seconds);
    const seconds = (performance.now() - startedMs) / 1000;
    const decided = (await books.decided()) - decidedBefore;
    const cpuAfter = stack.cpuMs();
    await books.untilStill();
    await stack.verify();

    return {
      version,
      workload: workload.name,
      decidedPerSecond: decided / seconds,
      requestsPerSecond: sent.requests / seconds,
      errors: sent.errors,
      answerP50Ms: percentile(sent.latenciesMs, 50),
      answerP99Ms: percentile(sent.latenciesMs, 99),
      postedP99Ms: sent.due.length > 0 ? percentile(await books.postedAfterMs(sent.due), 99) : undefined,
      cpuMs: Object.fromEntries(PARTS.map((part) => [part, (cpuAfter[part] - cpuBefore[part]) / sent.requests])),
    };
  } finally {
    await stack.stop();
  }
}

/** Behind the proxy nothing is as fast as it is, so this pass times nothing. */
async function count(version: string, folder: string, workload: Workload): Promise<Counted> {
  const engines = await startCountedEngines();
  try {
    const stack = await startBenchStack(engines.environment, folder);
    try {
      const { apiUrl, books } = stack;
      engines.take();
      await send(workload, await openWallets(workload), apiUrl, COUNT_SECONDS);
      await books.untilStill();
      const calls = engines.take();
      return { version, workload: workload.name, commands: await books.decided(), ...calls };
    } finally {
      await stack.stop();
    }
  } finally {
    await engines.stop();
  }
}

function isCommit(ref: string): boolean {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
  return spawnSync("git", args, { cwd: ROOT }).status === 0;
}

/** Another version of the code, beside this one and on the same packages. */
function checkOut(ref: string): string {
  const folder = join(ROOT, ".antler", "bench-versus");
  rmSync(folder, { recursive: true, force: true });
  execFileSync("git", ["worktree", "prune"], { cwd: ROOT });
  execFileSync("git", ["worktree", "add", "--detach", folder, ref], { cwd: ROOT, stdio: "ignore" });
  if (!existsSync(join(folder, "node_modules"))) symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, ".antler"), { recursive: true });
  symlinkSync(join(ROOT, ".antler/identity-key.json"), join(folder, ".antler/identity-key.json"));
  return folder;
}

function describe({ version, workload, cpuMs, ...figures }: Result): string {
  const numbers = Object.entries(figures).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value.toFixed(1)}`],
  );
  const cpu = Object.entries(cpuMs).map(([part, ms]) => `${part} ${ms.toFixed(2)}`);
  return `${workload} ${version}: ${numbers.join(", ")}; CPU ms a request: ${cpu.join(", ")}`;
}

/** Medians, and the least and the most of the runs. */
function table(all: readonly Result[]): string {
  const rows = workloads.flatMap(({ name, what }) =>
    versions.map(({ version }) => {
      const runs = all.filter((result) => result.workload === name && result.version === version);
      const decided = runs.map(({ decidedPerSecond }) => decidedPerSecond);
      const spread = `${Math.min(...decided).toFixed(0)}–${Math.max(...decided).toFixed(0)}`;
      const posted = runs.flatMap(({ postedP99Ms }) => (postedP99Ms === undefined ? [] : [postedP99Ms]));
      return [
        `${name}: ${what}`,
        version,
        median(decided).toFixed(0),
        spread,
        median(runs.map(({ answerP99Ms }) => answerP99Ms)).toFixed(0),
        posted.length > 0 ? median(posted).toFixed(0) : "",
        String(runs.reduce((total, { errors }) => total + errors, 0)),
      ];
    }),
  );
  return markdown(
    ["workload", "version", "decided a second", "runs", "answer p99 ms", "posted p99 ms", "errors"],
    rows,
  );
}

/** For a command, balances that were read beside it included. */
function countTable(all: readonly Counted[]): string {
  const rows = all.map(({ version, workload, commands, dynamo, sqs, writeUnits, readUnits, refused }) => {
    const { [EMPTY_RECEIVE]: empty = 0, ...requests } = sqs;
    const indexUnits = Object.fromEntries(Object.entries(writeUnits).filter(([what]) => what.includes("/")));
    const tableUnits = sum(writeUnits) - sum(indexUnits);
    const totals = [sum(dynamo), tableUnits, sum(indexUnits), sum(readUnits), sum(requests)];
    const each = totals.map((count) => (count / commands).toFixed(2));
    return [workload, version, String(commands), ...each, String(empty), String(refused)];
  });
  const units = ["table write units", "index write units", "read units"];
  const titles = ["DynamoDB calls, each", ...units, "queue requests", "empty receives", "refused"];
  return markdown(["workload", "version", "commands", ...titles], rows);
}
