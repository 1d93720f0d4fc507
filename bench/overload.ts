import { readArguments } from "../scripts/command.ts";
import { median, percentile } from "../scripts/statistics.ts";
import { table } from "../scripts/table.ts";
import { drainBacklog } from "./backlog.ts";
import { measure, readOutcomes } from "./measure.ts";
import { startBenchStack } from "./stack.ts";
import { type Answer, createUsers, nowMs, send, W1 } from "./workloads.ts";

const USAGE = `Usage: npm run overload

Sends twice the load that the stack can process, and then a backlog of 100,000 commands. The stack must recover from both by
itself: exits with 1 unless every accepted command was decided, in order. Linux only.`;

const SLICE_SECONDS = 2;

readArguments({ usage: USAGE, usesLocalSettings: true });
const overload = await measureOverload();
printTable("overload", overload);
const backlog = await drainBacklog();
printTable("backlog", backlog);
const isDecided = overload["of them lost"] + overload["of them pending"] === 0 && backlog.posted === backlog.commands;
if (!isDecided || backlog["users with commands decided out of order"] > 0) {
  console.error("Commands were lost, left undecided or decided out of order.");
  process.exitCode = 1;
}

async function measureOverload() {
  await using stack = await startBenchStack();
  const users = await createUsers(W1.users);
  const closedLoop = { ...W1, seconds: 10 };
  const before = await measure(stack, closedLoop, { users });

  const ratePerSecond = Math.round(2 * before.requestsPerSecond);
  const openLoop = { ...W1, seconds: 20, connections: 1000, ratePerSecond };
  const startMs = nowMs();
  const endMs = startMs + openLoop.seconds * 1000;
  const answers = await send(openLoop, users, stack.apiUrl);
  const answeredMs = nowMs();
  await stack.untilIdle();
  const idleMs = nowMs();
  const outcomes = await readOutcomes(stack, answers);
  const after = await measure(stack, closedLoop, { users });
  await stack.verify();

  console.log(table(slices(answers, startMs)));
  const shares = [...Map.groupBy(answers, ({ status }) => status)].map(
    ([status, { length }]) => `${status}: ${((100 * length) / answers.length).toFixed(1)} %`,
  );
  return {
    "requests a second in a closed loop before": before.requestsPerSecond,
    "requests a second in the overload": ratePerSecond,
    responses: shares.join(", "),
    "every request answered after, s": (answeredMs - endMs) / 1000,
    "every command decided after, s": (idleMs - endMs) / 1000,
    "requests a second in a closed loop afterwards": after.requestsPerSecond,
    "commands accepted": outcomes.length,
    "of them lost": outcomes.filter(({ transaction }) => transaction === undefined).length,
    "of them pending": outcomes.filter(({ transaction }) => transaction?.status === "pending").length,
  };
}

/** The answers by the time at which their requests were due. */
function slices(answers: readonly Answer[], startMs: number) {
  const bySlice = Map.groupBy(answers, ({ dueAtMs }) => Math.floor((dueAtMs - startMs) / 1000 / SLICE_SECONDS));
  return [...bySlice].map(([slice, due]) => {
    const latenciesOf = (...statuses: number[]) =>
      due.filter(({ status }) => statuses.includes(status)).map(({ latencyMs }) => latencyMs);
    const [done, throttled] = [latenciesOf(200, 202), latenciesOf(429, 503)];
    return {
      "due in s": `${slice * SLICE_SECONDS}–${(slice + 1) * SLICE_SECONDS}`,
      ...{ "200, 202": done.length, "p50 ms": median(done), "p99 ms": percentile(done, 99) },
      ...{ "429, 503": throttled.length, "429, 503 p99 ms": percentile(throttled, 99) },
      other: due.length - done.length - throttled.length,
    };
  });
}

function printTable(title: string, values: Readonly<Record<string, string | number>>): void {
  console.log(`\n${table(Object.entries(values).map(([name, value]) => ({ [title]: name, value })))}`);
}
