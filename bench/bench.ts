import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { readArguments, someOf, wholeNumber } from "../scripts/command.ts";
import { percentile, sum } from "../scripts/statistics.ts";
import { table } from "../scripts/table.ts";
import { EMPTY_RECEIVE, startCountedEngines } from "./awsUsage.ts";
import { measure, medians, type Run, readOutcomes } from "./measure.ts";
import { startBenchStack } from "./stack.ts";
import { WORKLOADS, type Workload } from "./workloads.ts";

const USAGE = `Usage: npm run bench -- [--runs N] [--only ${WORKLOADS.map(({ name }) => name).join(",")}] [--vs GIT-REF]

Loads a new stack in each of N runs (3), counts by the tables what was decided, and verifies the ledger. With --vs another version
of the code is measured in turn with this one, under the same conditions. A short pass before the runs counts the calls to AWS.
Linux only.`;

const ROOT = join(import.meta.dirname, "..");
const COUNTED_SECONDS = 3;

const { runs, only, vs } = readArguments({
  usage: USAGE,
  options: {
    runs: wholeNumber(1).default(3),
    only: someOf(WORKLOADS.map(({ name }) => name)).optional(),
    vs: z.string().refine(isCommit, "must be a commit, a branch or a tag of this repository").optional(),
  },
  usesLocalSettings: true,
});
const versions = [{ version: "here", folder: ROOT }, ...(vs ? [checkOut(vs)] : [])];
const usages = [];
const results = [];
for (const workload of WORKLOADS.filter(({ name }) => !only || only.includes(name))) {
  const byVersion = versions.map(({ version, folder }) => ({ version, folder, all: [] as Run[] }));
  for (const { version, folder } of byVersion)
    usages.push({ workload: workload.name, version, ...(await countUsage(folder, workload)) });
  for (let round = 1; round <= runs; round++) {
    for (const { version, folder, all } of byVersion) {
      all.push(await run(folder, workload));
      console.log(`${workload.name} ${version}: ${JSON.stringify(all.at(-1))}`);
    }
  }
  for (const { version, all } of byVersion) {
    const range = (column: string) => all.map((run) => run[column] ?? Number.NaN);
    const decided = range("decided a second");
    results.push({
      ...{ workload: `${workload.name}: ${workload.description}`, version, ...medians(all) },
      "decided a second, runs": `${Math.min(...decided).toFixed(0)}–${Math.max(...decided).toFixed(0)}`,
      "errors, all runs": sum(range("errors")),
    });
  }
}
console.log(`\n${table(results)}\n\n${table(usages)}`);

async function run(folder: string, workload: Workload): Promise<Run> {
  await using stack = await startBenchStack({}, folder);
  const { answers, cpuMsPerRequest, ...measured } = await measure(stack, workload);
  const latenciesMs = answers.map(({ latencyMs }) => latencyMs);
  const outcomes = workload.ratePerSecond ? await readOutcomes(stack, answers) : [];
  const postedMs = outcomes.map(({ dueAtMs, transaction }) => Date.parse(transaction?.postedAt ?? "") - dueAtMs);
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
  await measure(stack, { ...workload, seconds: COUNTED_SECONDS }, { warmUpSeconds: 0 });
  const { dynamo, sqs, writeUnits, readUnits, failedCalls } = engines.reset();
  const commands = await stack.ledger.decided();
  const { [EMPTY_RECEIVE]: emptyReceives = 0, ...requests } = sqs;
  const indexUnits = Object.entries(writeUnits).flatMap(([target, units]) => (target.includes("/") ? [units] : []));
  return {
    commands,
    "DynamoDB calls, each": sum(Object.values(dynamo)) / commands,
    "table write units": (sum(Object.values(writeUnits)) - sum(indexUnits)) / commands,
    "index write units": sum(indexUnits) / commands,
    "read units": sum(Object.values(readUnits)) / commands,
    "queue requests": sum(Object.values(requests)) / commands,
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
  if (!existsSync(join(folder, "node_modules"))) symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, ".antler"), { recursive: true });
  symlinkSync(join(ROOT, ".antler/identity-key.json"), join(folder, ".antler/identity-key.json"));
  return { version: ref, folder };
}
