import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { readArguments, someOf, wholeNumber } from "../scripts/command.ts";
import { percentile, sum } from "../scripts/statistics.ts";
import { table } from "../scripts/table.ts";
import { EMPTY_RECEIVE, startCountedEngines } from "./awsUsage.ts";
import { measure, medians, type Run, readOutcomes, runInTurn } from "./measure.ts";
import { startBenchStack } from "./stack.ts";
import { WORKLOADS, type Workload } from "./workloads.ts";

const USAGE = `Usage: npm run bench -- [--runs N] [--only ${WORKLOADS.map(({ name }) => name).join(",")}] [--vs GIT-REF]

Loads a new stack in each of N runs (3), counts by the tables what was decided, and verifies the ledger. With --vs another version
of the code is measured in turn with this one, under the same conditions. A short pass after the runs counts the calls to AWS.
In batches, all commands are counted until the queue is empty; their requests and answers are those of batches. With EVENTS=false
nothing is published meanwhile. Linux only.`;

const ROOT = join(import.meta.dirname, "..");

const { runs, only, vs } = readArguments({
  usage: USAGE,
  options: {
    runs: wholeNumber(1).default(3),
    only: someOf(WORKLOADS.map(({ name }) => name)).optional(),
    vs: z.string().refine(isCommit, "must be a commit, a branch or a tag of this repository").optional(),
  },
  usesLocalSettings: true,
});
const versions = [{ name: "here", folder: ROOT }, ...(vs ? [checkOut(vs)] : [])];
const usages = [];
const results = [];
for (const workload of WORKLOADS.filter(({ name }) => !only || only.includes(name))) {
  const variants = versions.map((version) => ({ ...version, run: () => run(version.folder, workload) }));
  for (const { name: version, folder, runs: all } of await runInTurn(runs, variants)) {
    usages.push({ workload: workload.name, version, ...(await countUsage(folder, workload)) });
    const column = (name: string) => all.map((run) => run[name] ?? Number.NaN);
    const decided = column("decided a second");
    results.push({
      ...{ workload: `${workload.name}: ${workload.description}`, version, ...medians(all) },
      "decided a second, runs": `${Math.min(...decided).toFixed(0)}–${Math.max(...decided).toFixed(0)}`,
      "errors, all runs": sum(column("errors")),
    });
  }
}
console.log(`\n${table(results)}\n\n${table(usages)}`);

async function run(folder: string, workload: Workload): Promise<Run> {
  await using stack = await startBenchStack({}, folder);
  const { answers, cpuMsPerRequest, ...measured } = await measure(stack, workload);
  const latenciesMs = answers.map(({ latencyMs }) => latencyMs);
  const outcomes = workload.ratePerSecond ? await readOutcomes(stack, answers) : [];
  const postedMs = outcomes.map(({ dueAtMs, transaction }) => Date.parse(transaction?.decidedAt ?? "") - dueAtMs);
  await stack.verify();
  return {
    "decided a second": measured.decidedPerSecond,
    "requests a second": measured.requestsPerSecond,
    "answer p50 ms": percentile(latenciesMs, 50),
    "answer p99 ms": percentile(latenciesMs, 99),
    "due to posted p99 ms": percentile(postedMs, 99),
    errors: measured.errors,
    ...cpuMsPerRequest,
  };
}

/** Per command, with the balances read beside it. The proxy that counts is slow, so that this pass measures no times. */
async function countUsage(folder: string, workload: Workload): Promise<Run> {
  await using engines = await startCountedEngines();
  await using stack = await startBenchStack(engines.environment, folder);
  engines.reset();
  await measure(stack, { ...workload, seconds: 3 }, { warmUpSeconds: 0 });
  const { dynamo, sqs, writeUnits, readUnits, failedCalls } = engines.reset();
  const commands = await stack.ledger.decided();
  const each = (counts: readonly number[]) => sum(counts) / commands;
  const { [EMPTY_RECEIVE]: emptyReceives = 0, ...requests } = sqs;
  const indexUnits = Object.entries(writeUnits).flatMap(([target, units]) => (target.includes("/") ? [units] : []));
  return {
    ...{ commands, "DynamoDB calls, each": each(Object.values(dynamo)) },
    "table write units": each(Object.values(writeUnits)) - each(indexUnits),
    "index write units": each(indexUnits),
    "read units": each(Object.values(readUnits)),
    "queue requests": each(Object.values(requests)),
    ...{ "empty receives": emptyReceives, "failed calls": failedCalls },
  };
}

function isCommit(ref: string): boolean {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
  return spawnSync("git", args, { cwd: ROOT }).status === 0;
}

/** Checks another version out below `.antler`, with the installed packages and the identity key of this one. */
function checkOut(ref: string) {
  const folder = join(ROOT, ".antler", "bench-versus");
  rmSync(folder, { recursive: true, force: true });
  execFileSync("git", ["worktree", "prune"], { cwd: ROOT });
  execFileSync("git", ["worktree", "add", "--detach", folder, ref], { cwd: ROOT, stdio: "ignore" });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, ".antler"), { recursive: true });
  symlinkSync(join(ROOT, ".antler/identity-key.json"), join(folder, ".antler/identity-key.json"));
  return { name: ref, folder };
}
