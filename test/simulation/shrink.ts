import type { Operation, Plan } from "./plan.ts";
import type { Runner } from "./run.ts";
import type { Outcome } from "./simulation.ts";

/** How often a history is run again, at most, to make it shorter. */
const RUNS_MAX = 1500;

/**
 * Leaves out operations, users and faults as long as the same invariant still breaks.
 *
 * @returns the shortest history found, and how it ends
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

  /** Takes out ever smaller parts of a list for as long as that helps. */
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
  await reduce(
    ({ faults }) => Object.entries(faults.rates),
    (from, rates) => ({ ...from, faults: { ...from.faults, rates: Object.fromEntries(rates) } }),
  );
  await reduce(
    ({ faults }) => faults.outages,
    (from, outages) => ({ ...from, faults: { ...from.faults, outages } }),
  );
  for (const calmer of [{ keys: { unreachable: [] } }, { skewMs: 0 }, { lagMs: 0 }]) {
    await attempt({ ...best, faults: { ...best.faults, ...calmer } });
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
  // What is left of the faults is suppressed one by one: the list of those that strike gets shorter and shorter.
  const struck = outcome.injected;
  await reduce(
    ({ faults }) => struck.filter((name) => !faults.suppressed.includes(name)),
    (from, kept) => ({
      ...from,
      faults: { ...from.faults, suppressed: struck.filter((name) => !kept.includes(name)) },
    }),
  );
  const users = best.users.filter((user) => best.operations.some(({ userId }) => userId === user));
  await attempt({ ...best, users });
  return { plan: best, outcome: await run(best, true) };
}

/** A history for people: what was asked, what went wrong on the way, and what broke. */
export function describe({ plan, outcome }: { plan: Plan; outcome: Outcome }): string {
  const operations = [...plan.operations].sort((a, b) => a.atMs - b.atMs).map(describeOperation);
  const { violation, injected, trace } = outcome;
  return [
    `Broken: ${violation?.invariant}, at ${violation?.atMs.toFixed(0)} ms`,
    `  ${violation?.detail}`,
    `The shortest history found: ${operations.length} operations`,
    ...operations.map((line) => `  ${line}`),
    `Faults that struck: ${injected.length}`,
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
