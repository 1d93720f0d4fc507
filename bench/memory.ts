import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { commandOf, processesWith } from "../test/support/processes.ts";
import { type Part, partOf } from "./processes.ts";

const KB_IN_MB = 1024;
const LOOK_EVERY_MS = 50;

export type MemoryMb = Readonly<Record<Part, number>>;

/** Resident memory of a stack's processes, by the part that each plays. Linux only: it reads /proc. */
export function memoryOf(marker: string): MemoryMb {
  const memory = { "API and consumer": 0, SQS: 0, DynamoDB: 0 };
  for (const pid of processesWith(marker)) {
    try {
      const part = partOf(commandOf(pid));
      if (part) memory[part] += statusMb(pid, "VmRSS");
    } catch {
      // It ended in between.
    }
  }
  return memory;
}

/** The most memory that a process has had, in MB, once it has ended. */
export async function peakMemoryMb(child: ChildProcess): Promise<number> {
  for (let peakMb = 0; ; await setTimeout(LOOK_EVERY_MS)) {
    try {
      peakMb = statusMb(String(child.pid), "VmHWM");
    } catch {
      return peakMb;
    }
  }
}

function statusMb(pid: string, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`Process ${pid} has no ${field}: it has ended`);
  return Number(kilobytes) / KB_IN_MB;
}
