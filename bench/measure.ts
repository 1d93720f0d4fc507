import { median, sum } from "../scripts/statistics.ts";
import { formatNumber } from "../scripts/table.ts";
import type { BenchStack } from "./stack.ts";
import { type Answer, createUsers, nowMs, send, type User, type Workload } from "./workloads.ts";

/**
 * Warms the stack up, sends the load, counts the commands decided meanwhile, and waits until the queue is empty. Of batches
 * all commands are counted, and the time until the queue is empty, because a few batches are accepted long before they are
 * decided.
 *
 * @param users whose commands are sent; by default new users for the warm-up and for the load
 */
export async function measure(
  stack: BenchStack,
  workload: Workload,
  { users, warmUpSeconds = 4 }: { users?: readonly User[]; warmUpSeconds?: number } = {},
) {
  const usersOrNew = async () => users ?? (await createUsers(workload.users));
  await send({ ...workload, seconds: warmUpSeconds }, await usersOrNew(), stack.apiUrl);
  await stack.untilIdle();

  const loadUsers = await usersOrNew();
  const [decidedBefore, before] = [await stack.ledger.decided(), stack.resources()];
  const startMs = nowMs();
  const answers = await send(workload, loadUsers, stack.apiUrl);
  const seconds = (nowMs() - startMs) / 1000;
  if (workload.usersPerBatch !== undefined) await stack.untilIdle();
  const decidedSeconds = (nowMs() - startMs) / 1000;
  const decided = (await stack.ledger.decided()) - decidedBefore;
  const after = stack.resources();
  await stack.untilIdle();
  const cpuMs = Object.entries(after.cpuMs).map(([part, ms]) => {
    return [`${part} a request`, (ms - (before.cpuMs[part] ?? 0)) / answers.length] as const;
  });
  return {
    answers,
    decidedPerSecond: decided / decidedSeconds,
    requestsPerSecond: answers.length / seconds,
    errors: sum(answers.map(({ status, notAccepted }) => (status === 200 || status === 202 ? notAccepted : 1))),
    cpuMsPerRequest: Object.fromEntries(cpuMs),
  };
}

/** The accepted commands of the answers, each with its transaction if the table has it. */
export async function readOutcomes({ ledger }: BenchStack, answers: readonly Answer[]) {
  const byId = new Map((await ledger.transactions()).map((transaction) => [transaction.id, transaction]));
  const accepted = answers.filter(({ transactionId }) => transactionId);
  return accepted.map(({ transactionId = "", dueAtMs }) => ({ dueAtMs, transaction: byId.get(transactionId) }));
}

export type Run = Readonly<Record<string, number>>;

/** Runs each variant once in every round, so that all of them meet the same conditions; prints every run. */
export async function runInTurn<Variant extends { readonly name: string; run(round: number): Promise<Run> }>(
  rounds: number,
  variants: readonly Variant[],
) {
  const results = variants.map((variant) => ({ ...variant, runs: [] as Run[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { name, run, runs } of results) {
      const result = await run(round);
      runs.push(result);
      const columns = Object.entries(result).map(([column, value]) => `${column} ${formatNumber(value)}`);
      console.log(`${name}: ${columns.join(", ")}`);
    }
  }
  return results;
}

/** The median of each column. */
export function medians(runs: readonly Run[]): Run {
  const columns = Object.keys(runs[0] ?? {});
  return Object.fromEntries(columns.map((column) => [column, median(runs.map((run) => run[column] ?? Number.NaN))]));
}
