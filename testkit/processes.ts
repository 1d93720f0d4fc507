import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { freeStackPorts } from "./ports.ts";
import { run } from "./stack.ts";

/** Linux only: the processes whose environment has `NAME=value`. A stack passes its environment to every process it starts. */
export function processesWith(marker: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(marker);
    } catch {
      return false;
    }
  });
}

export async function untilNoProcessWith(marker: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (processesWith(marker).length > 0) {
    if (Date.now() > deadline) throw new Error(`Left behind: ${processesWith(marker)}`);
    await setTimeout(50);
  }
}

export function commandOf(pid: string): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
}

/** Starts a stack that should refuse to start, and waits until it ends. */
export async function refusedStart(environment: Readonly<Record<string, string>>) {
  return run("localstack/start.ts", [], { ...(await freeStackPorts()), ...environment });
}
