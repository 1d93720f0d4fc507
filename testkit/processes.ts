import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { collect, freeStackPorts, launch } from "./stack.ts";

/** Linux only: processes whose environment has the marker `NAME=value`, which is all that a stack has started. */
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

/** Starts a stack that is to refuse, and returns what it says. */
export async function refusedStart(
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number; output: string }> {
  const child = launch({
    ...(await freeStackPorts()),
    ...environment,
  });
  const output = collect(child);
  const [code] = await once(child, "close");
  return { code, output: output() };
}
