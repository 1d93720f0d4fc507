import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

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
