import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { commandOf, processesWith } from "../testkit/processes.ts";

/** CPU time is counted in ticks of 10 ms, on every Linux that Node runs on. */
const TICK_MS = 10;
const KB_IN_MB = 1024;
const LOOK_EVERY_MS = 50;

export const PARTS = ["API and consumer", "SQS", "DynamoDB"] as const;
type Part = (typeof PARTS)[number];

/** A figure of a stack's processes, by the part that each plays. Linux only: it comes from /proc. */
export type ByPart = Readonly<Record<Part, number>>;

/** CPU time so far. */
export function cpuMsOf(marker: string): ByPart {
  return byPart(marker, (pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  });
}

/** Resident memory. */
export function memoryMbOf(marker: string): ByPart {
  return byPart(marker, (pid) => statusMb(pid, "VmRSS"));
}

/** The most memory that a process has had, once it has ended. */
export async function peakMemoryMb(child: ChildProcess): Promise<number> {
  for (let peakMb = 0; ; await setTimeout(LOOK_EVERY_MS)) {
    try {
      peakMb = statusMb(String(child.pid), "VmHWM");
    } catch {
      return peakMb;
    }
  }
}

function byPart(marker: string, read: (pid: string) => number): ByPart {
  const figures = { "API and consumer": 0, SQS: 0, DynamoDB: 0 };
  for (const pid of processesWith(marker)) {
    try {
      const part = partOf(commandOf(pid));
      if (part) figures[part] += read(pid);
    } catch {
      // It ended in between.
    }
  }
  return figures;
}

function partOf([program, ...args]: readonly string[]): Part | undefined {
  const command = [program, ...args].join(" ");
  if (program === "sh") return undefined;
  if (command.includes("dynoxide") || command.includes("DynamoDBLocal")) return "DynamoDB";
  if (command.includes("serverless.js")) return "API and consumer";
  if (command.includes("localstack/start.ts")) return "SQS";
  return undefined;
}

function statusMb(pid: string, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`Process ${pid} has no ${field}: it has ended`);
  return Number(kilobytes) / KB_IN_MB;
}
