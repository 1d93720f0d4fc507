import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as z from "zod";
import { type Bundle, bundleFunctions } from "../infra/bundle.ts";
import type { QueueRecord } from "../lib/ledger/ports.ts";
import { issueToken } from "../localstack/identityProvider.ts";
import { readArguments } from "../scripts/command.ts";
import { type BenchEngines, startBenchEngines } from "./engines.ts";
import { median } from "./figures.ts";
import { TOKENS } from "./ledger.ts";
import { markdown } from "./markdown.ts";
import { acceptDeposits } from "./pending.ts";

const USAGE = `Usage: npm run fitness

How large each function is, what a cold start and a warm call cost, and whether its memory grows. What is measured runs in
processes of its own, out of the bundles that a deploy sends, with the engines beside it. Linux only.`;

const PROBE = join(import.meta.dirname, "fitnessProbe.mjs");
const COLD_STARTS = 20;
const WARM_UP_CALLS = 100;
const WARM_CALLS = 300;
const MEMORY_CALLS = 3000;
const PARTS = 6;
/** `provider.memorySize`, and the part of it that Lambda gives to V8's generations. */
const MEMORY_MB = 512;
const V8_FLAGS = [
  `--max-semi-space-size=${Math.floor(MEMORY_MB * 0.05)}`,
  `--max-old-space-size=${Math.floor(MEMORY_MB * 0.9)}`,
];

const cost = z.object({ wallMs: z.number(), cpuMs: z.number() });
const probed = z.object({
  importing: cost,
  firstCall: cost,
  /** From the start of the process to the end of its first call. */
  whole: cost,
  callsCpuMs: z.array(z.number()),
  memory: z.array(z.object({ calls: z.number(), rss: z.number(), heapUsed: z.number() })),
  answer: z.union([
    z.object({ statusCode: z.literal([200, 202]) }),
    z.object({ batchItemFailures: z.array(z.unknown()).max(0) }),
  ]),
});
type Probed = z.infer<typeof probed>;

readArguments({ usage: USAGE, usesLocalSettings: true });
const folder = mkdtempSync(join(tmpdir(), "antler-fitness-"));
const bundles = await bundleFunctions(folder);
const files = new Map(bundles.map(({ name, file }) => [name, file]));
files.set("empty", join(folder, "empty", "empty.mjs"));
mkdirSync(join(folder, "empty"));
writeFileSync(join(folder, "empty", "empty.mjs"), "export const handler = async () => ({ statusCode: 200 });\n");
const engines = await startBenchEngines();
try {
  console.log(`${sizes()}\n`);
  console.log(`${await coldStarts(engines)}\n`);
  console.log(`${await warmCalls(engines)}\n`);
  console.log(`${await memory(engines)}\n`);
} finally {
  await engines.stop();
  rmSync(folder, { recursive: true });
}

function sizes(): string {
  return markdown(
    ["function", "bytes", "gzipped", "largest parts, bytes"],
    bundles.map((bundle) => [
      bundle.name,
      String(bundle.bytes),
      String(gzipSync(readFileSync(bundle.file)).byteLength),
      parts(bundle),
    ]),
  );
}

function parts({ sources }: Bundle): string {
  const byPackage = new Map<string, number>();
  for (const [file, bytes] of sources) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? "Antler";
    byPackage.set(name, (byPackage.get(name) ?? 0) + bytes);
  }
  const largest = [...byPackage].sort(([, a], [, b]) => b - a).slice(0, PARTS);
  return largest.map(([name, bytes]) => `${name} ${bytes}`).join(", ");
}

async function coldStarts({ environment }: BenchEngines): Promise<string> {
  const user = await newUser();
  await acceptDeposits([user.id]);
  const records = await acceptDeposits(Array(COLD_STARTS).fill(user.id));
  const events = {
    empty: () => ({}),
    commands: () => depositEvent(user),
    balances: () => readEvent(user),
    openapi: () => readEvent(user),
    consume: (round: number) => queueEvent(records.slice(round, round + 1)),
  };
  const runs = new Map(Object.keys(events).map((name) => [name, [] as Probed[]]));
  for (let round = 0; round < COLD_STARTS; round++) {
    for (const [name, event] of Object.entries(events)) {
      runs.get(name)?.push(await probe(name, [event(round)], environment));
    }
  }
  const emptyRuns = runs.get("empty") ?? [];
  return markdown(
    ["cold start, ms", "import", "first call", "whole", "to empty", "CPU: import", "first call", "whole", "to empty"],
    [...runs].map(([name, all]) => [
      name,
      ...(["wallMs", "cpuMs"] as const).flatMap((of) => [
        median(all.map(({ importing }) => importing[of])).toFixed(1),
        median(all.map(({ firstCall }) => firstCall[of])).toFixed(1),
        median(all.map(({ whole }) => whole[of])).toFixed(1),
        // Each to the empty one of its own round.
        median(all.map(({ whole }, round) => whole[of] / (emptyRuns[round]?.whole[of] ?? Number.NaN))).toFixed(2),
      ]),
    ]),
  );
}

async function warmCalls({ environment }: BenchEngines): Promise<string> {
  const user = await newUser();
  const calls = WARM_UP_CALLS + WARM_CALLS;
  const ofOne = await acceptDeposits(Array(10 * calls).fill(user.id));
  const tenUsers = Array.from({ length: 10 }, () => `fitness-${randomUUID()}`);
  const ofTen = await acceptDeposits(Array(calls).fill(tenUsers).flat());
  const batches = (records: readonly QueueRecord[]) =>
    Array.from({ length: calls }, (_, index) => queueEvent(records.slice(10 * index, 10 * index + 10)));
  const loads: [string, string, readonly object[]][] = [
    ["accept a deposit", "commands", Array.from({ length: calls }, () => depositEvent(user))],
    ["decide ten commands of one user", "consume", batches(ofOne)],
    ["decide ten commands of ten users", "consume", batches(ofTen)],
    ["read balances", "balances", Array(calls).fill(readEvent(user))],
  ];
  const rows = [];
  for (const [what, name, events] of loads) {
    const cpuMs = (await probe(name, events, environment)).callsCpuMs.slice(WARM_UP_CALLS);
    const mean = cpuMs.reduce((sum, ms) => sum + ms, 0) / cpuMs.length;
    rows.push([what, median(cpuMs).toFixed(2), mean.toFixed(2)]);
  }
  return markdown(["warm call, CPU ms", "median", "mean"], rows);
}

async function memory({ environment }: BenchEngines): Promise<string> {
  const user = await newUser();
  const records = await acceptDeposits(Array(MEMORY_CALLS).fill(user.id));
  const loads: [string, readonly object[]][] = [
    ["commands", Array.from({ length: MEMORY_CALLS }, () => depositEvent(user))],
    ["balances", Array(MEMORY_CALLS).fill(readEvent(user))],
    ["consume", records.map((record) => queueEvent([record]))],
  ];
  const rows = [];
  for (const [name, events] of loads) {
    for (const { calls, rss, heapUsed } of (await probe(name, events, environment, ["--expose-gc"])).memory) {
      rows.push([name, String(calls), megabytes(rss), megabytes(heapUsed)]);
    }
  }
  return markdown(["memory, MB", "after calls", "rss", "heap used"], rows);
}

/** Runs a function in a process of its own, with the environment that it has on AWS and its log going nowhere. */
async function probe(
  name: string,
  events: readonly object[],
  environment: BenchEngines["environment"],
  flags: readonly string[] = [],
): Promise<Probed> {
  const eventsFile = join(folder, "events.json");
  const resultFile = join(folder, "result.json");
  writeFileSync(eventsFile, JSON.stringify(events));
  const child = spawn(process.execPath, [...V8_FLAGS, ...flags, PROBE, files.get(name) ?? "", eventsFile, resultFile], {
    env: { ...environment, POWERTOOLS_LOG_LEVEL: "INFO", POWERTOOLS_METRICS_NAMESPACE: "Antler" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${name} ended with exit code ${code}`);
  return probed.parse(JSON.parse(readFileSync(resultFile, "utf8")));
}

interface User {
  readonly id: string;
  readonly authorization: string;
}

async function newUser(): Promise<User> {
  const id = `fitness-${randomUUID()}`;
  return { id, authorization: `Bearer ${await issueToken({ subject: id, ...TOKENS })}` };
}

function depositEvent({ id, authorization }: User): object {
  return {
    version: "2.0",
    routeKey: "POST /v1/users/{userId}/deposits",
    requestContext: { http: { method: "POST" } },
    pathParameters: { userId: id },
    headers: { authorization, "content-type": "application/json", "idempotency-key": randomUUID() },
    body: JSON.stringify({ currency: "USD", amount: "12.34" }),
  };
}

function readEvent({ id, authorization }: User): object {
  return { routeKey: "GET", pathParameters: { userId: id }, headers: { authorization } };
}

function queueEvent(records: readonly QueueRecord[]): object {
  return {
    Records: records.map(({ recordId, groupId, body }) => ({
      messageId: recordId,
      body,
      attributes: { MessageGroupId: groupId },
    })),
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
