import { parentPort } from "node:worker_threads";
import { smallHistory } from "./exhaustive.ts";
import { MUTANTS } from "./mutants.ts";
import type { Violation } from "./oracle.ts";
import { makeRunner, type Runner } from "./run.ts";
import { shrink } from "./shrink.ts";
import { planOf } from "./workload.ts";

/** What a worker is asked to do. */
export type Job =
  | { readonly kind: "seeds"; readonly from: number; readonly count: number }
  /** Looks for the first seed that catches a bug, beginning with the one that is known to. */
  | { readonly kind: "bug"; readonly name: string; readonly firstSeed: number | undefined; readonly seedsMax: number }
  /** Finds the shortest history in which a bug shows. */
  | { readonly kind: "shrink"; readonly name: string; readonly seed: number }
  /** The small history with crashes at certain awaits. */
  | { readonly kind: "crash"; readonly at: readonly number[] }
  /** The same with a crash at one await, then at that one and every later one. */
  | { readonly kind: "crashes"; readonly first: number };

export interface JobResult {
  readonly runs: number;
  readonly steps: number;
  readonly decided: number;
  readonly faults: number;
  /** Awaits of the last run. */
  readonly awaits: number;
  readonly digests: readonly number[];
  readonly broken:
    | {
        readonly seed: number;
        readonly operations: number;
        readonly crashAt: readonly number[];
        readonly violation: Violation;
      }
    | undefined;
}

let rightLedger: Promise<Runner> | undefined;

async function perform(job: Job): Promise<JobResult> {
  const sums = { runs: 0, steps: 0, decided: 0, faults: 0, awaits: 0 };
  const digests: number[] = [];
  let broken: JobResult["broken"];
  for await (const { plan, run } of histories(job, () => sums.awaits)) {
    const outcome = await run(plan);
    sums.runs++;
    sums.steps += outcome.steps;
    sums.decided += outcome.decided;
    sums.faults += outcome.injected.length;
    sums.awaits = outcome.awaits;
    digests.push(outcome.digest);
    if (outcome.violation) {
      broken = {
        seed: plan.seed,
        operations: plan.operations.length,
        crashAt: plan.faults.crashAt,
        violation: outcome.violation,
      };
      break;
    }
  }
  return { ...sums, digests, broken };
}

async function* histories(job: Job, awaits: () => number) {
  switch (job.kind) {
    case "seeds": {
      const run = await right();
      for (let seed = job.from; seed < job.from + job.count; seed++) yield { plan: planOf(seed), run };
      return;
    }
    case "shrink": {
      const run = await wrong(job.name);
      yield { plan: (await shrink(planOf(job.seed), run)).plan, run };
      return;
    }
    case "bug": {
      const run = await wrong(job.name);
      if (job.firstSeed !== undefined) yield { plan: planOf(job.firstSeed), run };
      for (let seed = 1; seed <= job.seedsMax; seed++) yield { plan: planOf(seed), run };
      return;
    }
    case "crash": {
      yield { plan: smallHistory(job.at), run: await right() };
      return;
    }
    case "crashes": {
      const run = await right();
      yield { plan: smallHistory([job.first]), run };
      // A crash changes what comes after it, so that the second one has awaits of its own to strike at.
      const last = awaits();
      for (let second = job.first + 1; second <= last; second++) yield { plan: smallHistory([job.first, second]), run };
    }
  }
}

function wrong(name: string): Promise<Runner> {
  const bug = MUTANTS.find((candidate) => candidate.name === name);
  if (!bug) throw new Error(`There is no mutant "${name}"`);
  return makeRunner(bug.edits);
}

function right(): Promise<Runner> {
  rightLedger ??= makeRunner();
  return rightLedger;
}

parentPort?.on("message", (job: Job) => {
  perform(job).then(
    (result) => parentPort?.postMessage({ result }),
    (error) => parentPort?.postMessage({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
