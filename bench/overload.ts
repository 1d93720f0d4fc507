import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readArguments } from "../scripts/command.ts";
import { drainBacklog } from "./backlog.ts";
import { BenchClient } from "./client.ts";
import { median, percentile } from "./figures.ts";
import { markdown } from "./markdown.ts";
import { type ByPart, PARTS } from "./processes.ts";
import type { Queue } from "./queue.ts";
import { type BenchStack, startBenchStack } from "./stack.ts";
import { type Answer, type Due, openWallets, send, type Wallet, WORKLOADS, type Workload } from "./workloads.ts";

const USAGE = `Usage: npm run overload

Twice what the stack can do, and then a backlog of 100,000 commands. The stack must recover from both by itself; exits with 1
unless every command that it accepted was decided, in order. Linux only.`;

const ROOT = join(import.meta.dirname, "..");
const TIMES = 2;
const CAPACITY_SECONDS = 10;
const OVERLOAD_SECONDS = 20;
const SLICE_SECONDS = 2;
const CONNECTIONS = 1000;
const PROBES = 40;
const PROBE_PAUSE_MS = 50;
const CALM_PROBES = 10;
const RECOVERY_MAX_MS = 120_000;

/** How the stack stands at the end of a slice. */
interface Sample {
  readonly queued: number;
  readonly memoryMb: ByPart;
}

interface Overload {
  readonly capacityPerSecond: number;
  readonly offeredPerSecond: number;
  readonly answers: readonly Answer[];
  readonly startMs: number;
  readonly samples: readonly Sample[];
  readonly quietP99Ms: number;
  /** From the end of what was offered until answers take no longer than {@link quietP99Ms} again. */
  readonly calmAfterSeconds: number;
  /** From the end of what was offered until its last request is answered. */
  readonly answeredAfterSeconds: number;
  /** From the end of what was offered until no command waits. */
  readonly drainedAfterSeconds: number;
  readonly acceptedCommands: number;
  /** Of those that were accepted: not in the table, or still pending there. */
  readonly lost: number;
  readonly pending: number;
}

readArguments({ usage: USAGE, usesLocalSettings: true });
const w1 = WORKLOADS.find(({ name }) => name === "W1");
if (!w1) throw new Error("There is no workload W1");
const overload = await measureOverload(w1);
const { answers, ...overloadFigures } = overload;
const slices = toSlices(overload);
console.log(`${tableOfSlices()}\n\n${tableOfOverload()}\n`);
const backlog = await drainBacklog();
console.log(tableOfBacklog());
writeFileSync(
  join(ROOT, ".antler/overload.json"),
  JSON.stringify({ overload: { ...overloadFigures, slices }, backlog }, undefined, 2),
);
if (overload.lost + overload.pending + backlog.usersOutOfOrder + backlog.commands - backlog.posted > 0) {
  console.error("Commands were lost, left undecided or decided out of order.");
  process.exitCode = 1;
}

async function measureOverload(workload: Workload): Promise<Overload> {
  const stack = await startBenchStack();
  try {
    const { apiUrl, books, queue } = stack;
    const wallets = await openWallets(workload);
    await send(workload, wallets, apiUrl, CAPACITY_SECONDS / 2);
    const { requests } = await send(workload, wallets, apiUrl, CAPACITY_SECONDS);
    const capacityPerSecond = Math.round(requests / CAPACITY_SECONDS);
    await books.untilStill();
    const quietP99Ms = percentile(await probe(apiUrl, wallets, PROBES), 99);

    const offeredPerSecond = TIMES * capacityPerSecond;
    const startMs = Date.now();
    const endMs = startMs + OVERLOAD_SECONDS * 1000;
    const overloaded = { ...workload, ratePerSecond: offeredPerSecond, connections: CONNECTIONS };
    const sending = send(overloaded, wallets, apiUrl, OVERLOAD_SECONDS);
    const samples = await sampleUntil(endMs, stack);
    const [calmAfterSeconds, sent] = await Promise.all([untilCalm(apiUrl, wallets, quietP99Ms, endMs), sending]);
    const drainedAfterSeconds = await untilDrained(queue, endMs);
    await stack.verify();
    return {
      capacityPerSecond,
      offeredPerSecond,
      answers: sent.answers,
      startMs,
      samples,
      quietP99Ms,
      calmAfterSeconds,
      answeredAfterSeconds: (Math.max(...sent.answers.map(({ answeredAtMs }) => answeredAtMs)) - endMs) / 1000,
      drainedAfterSeconds,
      ...(await settle(sent.due, stack)),
    };
  } finally {
    await stack.stop();
  }
}

/** Balance reads, one after the other: how long each took; without end if it was not answered with 200. */
async function probe(apiUrl: string, wallets: readonly Wallet[], probes: number): Promise<number[]> {
  const client = new BenchClient(apiUrl, 1);
  const latenciesMs: number[] = [];
  for (const { userId, token } of wallets.slice(0, probes)) {
    const startedMs = performance.now();
    const { status } = await client.send("GET", `/v1/users/${userId}/balances`, token);
    latenciesMs.push(status === 200 ? performance.now() - startedMs : Number.POSITIVE_INFINITY);
    await setTimeout(PROBE_PAUSE_MS);
  }
  client.close();
  return latenciesMs;
}

/** Calm is when {@link CALM_PROBES} in a row are as fast as before. */
async function untilCalm(
  apiUrl: string,
  wallets: readonly Wallet[],
  quietP99Ms: number,
  endMs: number,
): Promise<number> {
  while (Date.now() < endMs + RECOVERY_MAX_MS) {
    const startedMs = Date.now();
    const latenciesMs = await probe(apiUrl, wallets, CALM_PROBES);
    if (median(latenciesMs) <= quietP99Ms) return (startedMs - endMs) / 1000;
  }
  throw new Error(`Answers are still slow ${RECOVERY_MAX_MS / 1000} s after the overload`);
}

async function untilDrained(queue: Queue, endMs: number): Promise<number> {
  while ((await queue.length()) > 0) {
    if (Date.now() > endMs + RECOVERY_MAX_MS) throw new Error("Commands still wait long after the overload");
    await setTimeout(PROBE_PAUSE_MS);
  }
  return (Date.now() - endMs) / 1000;
}

async function sampleUntil(endMs: number, { queue, memoryMb }: BenchStack): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (Date.now() < endMs) {
    await setTimeout(Math.min(SLICE_SECONDS * 1000, endMs - Date.now()));
    samples.push({ queued: await queue.length(), memoryMb: memoryMb() });
  }
  return samples;
}

async function settle(accepted: readonly Due[], { books }: BenchStack) {
  const statuses = new Map<string, string>();
  for await (const { id, status } of books.transactions()) statuses.set(id, status);
  const ofAccepted = accepted.map(({ transactionId }) => statuses.get(transactionId));
  return {
    acceptedCommands: accepted.length,
    lost: ofAccepted.filter((status) => status === undefined).length,
    pending: ofAccepted.filter((status) => status === "pending").length,
  };
}

function toSlices({ answers, startMs, samples }: Overload) {
  return samples.map((sample, index) => {
    const fromMs = startMs + index * SLICE_SECONDS * 1000;
    const due = answers.filter(({ dueAtMs }) => dueAtMs >= fromMs && dueAtMs < fromMs + SLICE_SECONDS * 1000);
    const done = due.filter(({ status }) => isDone(status));
    const turnedAway = due.filter(({ status }) => isTurnedAway(status));
    return {
      fromSeconds: index * SLICE_SECONDS,
      done: done.length,
      turnedAway: turnedAway.length,
      failed: due.length - done.length - turnedAway.length,
      doneP50Ms: median(done.map(latencyMs)),
      doneP99Ms: percentile(done.map(latencyMs), 99),
      turnedAwayP99Ms: percentile(turnedAway.map(latencyMs), 99),
      ...sample,
    };
  });
}

function isDone(status: number): boolean {
  return status === 200 || status === 202;
}

function isTurnedAway(status: number): boolean {
  return status === 429 || status === 503;
}

/** From the time that the request was due: what waits for a connection waits too. */
function latencyMs({ dueAtMs, answeredAtMs }: Answer): number {
  return answeredAtMs - dueAtMs;
}

function tableOfSlices(): string {
  const titles = ["due in s", "200, 202", "429, 503", "other", "p50 ms", "p99 ms", "429, 503 p99 ms", "queued"];
  return markdown(
    [...titles, ...PARTS.map((part) => `${part} MB`)],
    slices.map((slice) => [
      `${slice.fromSeconds}–${slice.fromSeconds + SLICE_SECONDS}`,
      ...[slice.done, slice.turnedAway, slice.failed].map(String),
      ...[slice.doneP50Ms, slice.doneP99Ms, slice.turnedAwayP99Ms].map(whole),
      String(slice.queued),
      ...PARTS.map((part) => whole(slice.memoryMb[part])),
    ]),
  );
}

function tableOfOverload(): string {
  const statuses = new Map<number, number>();
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const shares = [...statuses].map(([status, count]) => `${status}: ${((100 * count) / answers.length).toFixed(1)} %`);
  return markdown(
    ["overload", ""],
    [
      ["requests a second in a closed loop", String(overload.capacityPerSecond)],
      ["offered a second", String(overload.offeredPerSecond)],
      ["answers", shares.join(", ")],
      ["p99 of a quiet stack, ms", whole(overload.quietP99Ms)],
      ["as fast as that again after, s", overload.calmAfterSeconds.toFixed(1)],
      ["every request answered after, s", overload.answeredAfterSeconds.toFixed(1)],
      ["no command waits after, s", overload.drainedAfterSeconds.toFixed(1)],
      ["commands accepted", String(overload.acceptedCommands)],
      ["of them lost", String(overload.lost)],
      ["of them still pending", String(overload.pending)],
    ],
  );
}

function tableOfBacklog(): string {
  const { memoryMbBefore, memoryMbAfter } = backlog;
  return markdown(
    ["backlog", ""],
    [
      ["commands waiting", String(backlog.commands)],
      ["posted", String(backlog.posted)],
      ["decided a second", whole(backlog.commandsPerSecond)],
      ["in each fifth", backlog.perSecondOnTheWay.map(whole).join(", ")],
      ["users whose commands were decided out of order", String(backlog.usersOutOfOrder)],
      ...PARTS.map((part) => [
        `${part} MB before, after`,
        `${whole(memoryMbBefore[part])}, ${whole(memoryMbAfter[part])}`,
      ]),
    ],
  );
}

function whole(figure: number): string {
  return Number.isNaN(figure) ? "" : figure.toFixed(0);
}
