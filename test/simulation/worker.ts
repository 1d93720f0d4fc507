import { parentPort } from "node:worker_threads";
import { isInPairs, smallHistory } from "./exhaustive.ts";
import { MUTANTS } from "./mutants.ts";
import type { Violation } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { makeRunner, type Runner } from "./run.ts";
import { shrink } from "./shrink.ts";
import { planOf } from "./workload.ts";

/** A job of a worker. */
export type Job =
  | { readonly kind: "seeds"; readonly from: number; readonly count: number }
  /** Finds the first seed that catches a mutant, starting with the known one. */
  | {
      readonly kind: "mutant";
      readonly name: string;
      readonly firstSeed: number | undefined;
      readonly seedsMax: number;
    }
  /** Finds the shortest history that catches a mutant. */
  | { readonly kind: "shrink"; readonly name: string; readonly seed: number }
  /** One plan, against the ledger or against a mutant. */
  | { readonly kind: "plan"; readonly plan: Plan; readonly mutant?: string }
  /** The small history with a crash at one await, then at that one and every later one that leaves something else. */
  | { readonly kind: "crashes"; readonly first: number };

export interface JobResult {
  readonly runs: number;
  readonly steps: number;
  readonly decided: number;
  readonly faults: number;
  /** Awaits of the last run, by the names of their places. */
  readonly awaits: readonly string[];
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

let unchangedLedger: Promise<Runner> | undefined;

async function perform(job: Job): Promise<JobResult> {
  const sums = { runs: 0, steps: 0, decided: 0, faults: 0 };
  let awaits: readonly string[] = [];
  const digests: number[] = [];
  let broken: JobResult["broken"];
  for await (const { plan, run } of histories(job, () => awaits)) {
    const outcome = await run(plan);
    sums.runs++;
    sums.steps += outcome.steps;
    sums.decided += outcome.decided;
    sums.faults += outcome.injected.length;
    awaits = outcome.awaits;
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
  return { ...sums, awaits, digests, broken };
}

async function* histories(job: Job, awaits: () => readonly string[]) {
  switch (job.kind) {
    case "seeds": {
      const run = await unchanged();
      for (let seed = job.from; seed < job.from + job.count; seed++) yield { plan: planOf(seed), run };
      return;
    }
    case "shrink": {
      const run = await mutated(job.name);
      yield { plan: (await shrink(planOf(job.seed), run)).plan, run };
      return;
    }
    case "mutant": {
      const run = await mutated(job.name);
      if (job.firstSeed !== undefined) yield { plan: planOf(job.firstSeed), run };
      for (let seed = 1; seed <= job.seedsMax; seed++) yield { plan: planOf(seed), run };
      return;
    }
    case "plan": {
      yield { plan: job.plan, run: await (job.mutant === undefined ? unchanged() : mutated(job.mutant)) };
      return;
    }
    case "crashes": {
      const run = await unchanged();
      yield { plan: smallHistory([job.first]), run };
      // A crash changes the awaits after it, so the second one is counted anew.
      const places = awaits();
      if (!isInPairs(places, job.first)) return;
      const isPublisher = (index: number) => places[index - 1]?.startsWith("publish");
      for (let second = job.first + 1; second <= places.length; second++) {
        // The publisher shares nothing with the functions before it but what is stored.
        if (isPublisher(second) !== isPublisher(job.first) || !isInPairs(places, second)) continue;
        yield { plan: smallHistory([job.first, second]), run };
      }
    }
  }
}

function mutated(name: string): Promise<Runner> {
  const mutant = MUTANTS.find((candidate) => candidate.name === name);
  if (!mutant) throw new Error(`No mutant is called "${name}"`);
  return makeRunner(mutant.edits);
}

function unchanged(): Promise<Runner> {
  unchangedLedger ??= makeRunner();
  return unchangedLedger;
}

parentPort?.on("message", (job: Job) => {
  perform(job).then(
    (result) => parentPort?.postMessage({ result }),
    (error) => parentPort?.postMessage({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
