import * as z from "zod";
import { MUTANTS } from "../test/simulation/mutants.ts";
import { type Caught, row, writeTable } from "../test/simulation/mutantsTable.ts";
import { makeRunner } from "../test/simulation/run.ts";
import { describe, shrink } from "../test/simulation/shrink.ts";
import { Workers } from "../test/simulation/workers.ts";
import { planOf } from "../test/simulation/workload.ts";
import { readArguments, wholeNumber } from "./command.ts";

const USAGE = `Usage: npm run simulate -- [--seeds N] [--seed S] | --mutants

Runs the ledger's real functions against models of SQS and DynamoDB, under a virtual clock, with faults.

  npm run simulate -- --seeds 10000             10,000 histories, from seed 1
  npm run simulate -- --seeds 10000 --seed 500  10,000 histories, from seed 500
  npm run simulate -- --seed 500                one history, shrunk if it breaks an invariant
  npm run simulate -- --mutants                 finds a seed that catches each mutant, writes docs/reference/mutants.md`;

const SEEDS_A_JOB = 25;
const MUTANT_SEEDS_MAX = 1000;

const values = readArguments({
  usage: USAGE,
  options: {
    seeds: wholeNumber(1).optional(),
    seed: wholeNumber(0).optional(),
    mutants: z.boolean().optional(),
  },
});

process.env.POWERTOOLS_LOG_LEVEL = "SILENT";
process.env.POWERTOOLS_METRICS_DISABLED = "true";

if (values.mutants) await findMutants();
else if (values.seed !== undefined && values.seeds === undefined) await replay(values.seed);
else await simulate(values.seed ?? 1, values.seeds ?? 1000);

async function simulate(from: number, count: number): Promise<void> {
  const workers = new Workers();
  const startedAtMs = performance.now();
  const sums = { runs: 0, decided: 0, faults: 0 };
  let broken: number | undefined;
  const jobs: Promise<void>[] = [];
  for (let seed = from; seed < from + count; seed += SEEDS_A_JOB) {
    const size = Math.min(SEEDS_A_JOB, from + count - seed);
    jobs.push(
      workers.do({ kind: "seeds", from: seed, count: size }).then((result) => {
        sums.runs += result.runs;
        sums.decided += result.decided;
        sums.faults += result.faults;
        if (result.broken) broken = Math.min(broken ?? result.broken.seed, result.broken.seed);
        progress(sums, count, startedAtMs);
      }),
    );
  }
  // The first seed that breaks an invariant ends the run without the other jobs.
  const found = new Promise<void>((resolve) => {
    for (const job of jobs) void job.then(() => broken !== undefined && resolve());
  });
  await Promise.race([Promise.all(jobs), found]);
  await workers.close();
  process.stdout.write("\n");
  if (broken !== undefined) await replay(broken);
}

function progress(
  { runs, decided, faults }: Record<"runs" | "decided" | "faults", number>,
  count: number,
  startedAtMs: number,
) {
  const perMinute = Math.round((runs / (performance.now() - startedAtMs)) * 60_000);
  const line = `${runs} of ${count} seeds, ${perMinute} a minute, ${decided} commands decided, ${faults} faults`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  else if (runs === count || runs % 1000 < SEEDS_A_JOB) process.stdout.write(`${line}\n`);
}

async function replay(seed: number): Promise<void> {
  const run = await makeRunner();
  const outcome = await run(planOf(seed));
  if (!outcome.violation) {
    console.log(`Seed ${seed} passes: ${outcome.decided} commands decided, ${outcome.injected.length} faults`);
    return;
  }
  console.error(
    `Seed ${seed} breaks "${outcome.violation.invariant}". Replay it with: npm run simulate -- --seed ${seed}`,
  );
  console.error(describe(await shrink(planOf(seed), run)));
  process.exitCode = 1;
}

async function findMutants(): Promise<void> {
  const workers = new Workers();
  const results = await Promise.all(
    MUTANTS.map(async (mutant): Promise<Caught | undefined> => {
      const job = { kind: "mutant", name: mutant.name, firstSeed: undefined, seedsMax: MUTANT_SEEDS_MAX } as const;
      const { broken } = await workers.do(job);
      const caught = broken && { mutant, seed: broken.seed, invariant: broken.violation.invariant };
      process.stdout.write(caught ? row(caught) : `NOT CAUGHT by ${MUTANT_SEEDS_MAX} seeds: ${mutant.name}\n`);
      return caught;
    }),
  );
  await workers.close();
  const caught = results.filter((result) => result !== undefined);
  if (caught.length === MUTANTS.length) await writeTable(caught);
  else process.exitCode = 1;
}
