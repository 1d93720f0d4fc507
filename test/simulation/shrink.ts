import type { Operation, Plan } from "./plan.ts";
import type { Runner } from "./run.ts";
import type { Outcome } from "./simulation.ts";

/** Maximum number of runs to shrink a history. */
const RUNS_MAX = 1500;

/**
 * Removes operations, users and faults as long as the same invariant breaks.
 *
 * @returns the shortest history found, and its outcome
 */
export async function shrink(plan: Plan, run: Runner): Promise<{ plan: Plan; outcome: Outcome }> {
  let best = plan;
  let outcome = await run(plan);
  const invariant = outcome.violation?.invariant;
  let runs = 0;

  async function attempt(candidate: Plan): Promise<boolean> {
    if (++runs > RUNS_MAX) return false;
    const result = await run(candidate);
    if (!result.violation || result.violation.invariant !== invariant) return false;
    best = candidate;
    outcome = result;
    return true;
  }

  /** Removes ever smaller parts of a list while that keeps the violation. */
  async function reduce<T>(read: (from: Plan) => readonly T[], write: (from: Plan, items: readonly T[]) => Plan) {
    for (let size = Math.ceil(read(best).length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let start = 0; start < read(best).length; ) {
        const items = read(best);
        const fewer = [...items.slice(0, start), ...items.slice(start + size)];
        if (!(await attempt(write(best, fewer)))) start += size;
      }
    }
  }

  const withOperations = (from: Plan, operations: readonly Operation[]): Plan => ({ ...from, operations });
  await reduce(({ operations }) => operations, withOperations);
  for (const { id } of best.operations.filter(({ kind }) => kind === "batch")) {
    await reduce(
      ({ operations }) => operations.flatMap((each) => (each.id === id && each.kind === "batch" ? each.commands : [])),
      (from, commands) =>
        withOperations(
          from,
          from.operations.map((each) => (each.id === id && each.kind === "batch" ? { ...each, commands } : each)),
        ),
    );
  }
  await reduce(
    ({ faults }) => Object.entries(faults.rates),
    (from, rates) => ({ ...from, faults: { ...from.faults, rates: Object.fromEntries(rates) } }),
  );
  await reduce(
    ({ faults }) => faults.outages,
    (from, outages) => ({ ...from, faults: { ...from.faults, outages } }),
  );
  for (const fewerFaults of [{ keys: { unreachable: [] } }, { skewMs: 0 }, { consumerSkewMs: 0 }, { lagMs: 0 }]) {
    await attempt({ ...best, faults: { ...best.faults, ...fewerFaults } });
  }
  for (const simpler of [{ retriesAfterMs: [] }, { waitSeconds: 0 }, { asAdmin: false }, { forgery: undefined }]) {
    for (const { id } of best.operations) {
      const operations = best.operations.map((operation) =>
        operation.id === id && operation.kind === "movement" ? { ...operation, ...simpler } : operation,
      );
      if (JSON.stringify(operations, plain) !== JSON.stringify(best.operations, plain)) {
        await attempt(withOperations(best, operations));
      }
    }
  }
  await reduce(({ operations }) => operations, withOperations);
  // Suppresses the remaining faults one by one.
  const injectedBefore = outcome.injected;
  await reduce(
    ({ faults }) => injectedBefore.filter((name) => !faults.suppressed.includes(name)),
    (from, remaining) => ({
      ...from,
      faults: { ...from.faults, suppressed: injectedBefore.filter((name) => !remaining.includes(name)) },
    }),
  );
  const users = best.users.filter((user) => best.operations.some(({ userId }) => userId === user));
  await attempt({ ...best, users });
  return { plan: best, outcome: await run(best, true) };
}

/** A readable history: the operations, the injected faults, and the violation. */
export function describe({ plan, outcome }: { plan: Plan; outcome: Outcome }): string {
  const operations = [...plan.operations].sort((a, b) => a.atMs - b.atMs).map(describeOperation);
  const { violation, injected, trace } = outcome;
  return [
    `Broken: ${violation?.invariant}, at ${violation?.atMs.toFixed(0)} ms`,
    `  ${violation?.detail}`,
    `The shortest history found: ${operations.length} operations`,
    ...operations.map((line) => `  ${line}`),
    `Injected faults: ${injected.length}`,
    ...injected.map((line) => `  ${line}`),
    ...plan.faults.outages.map((outage) => `  outage ${JSON.stringify(outage)}`),
    `The last events of ${trace.length}`,
    ...trace.slice(-25).map((line) => `  ${line}`),
  ].join("\n");
}

function describeOperation({ id, atMs, kind, userId, ...rest }: Operation): string {
  return `${atMs.toFixed(0).padStart(6)} ms  ${id}  ${userId}  ${kind}  ${JSON.stringify(rest, plain)}`;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
