import { readFileSync } from "node:fs";
import { commandOf, processesWith } from "../testkit/processes.ts";

/** Linux counts CPU time in ticks of 10 ms, and memory in pages of 4 KB. */
const TICK_MS = 10;
const PAGE_MB = 4 / 1024;

/** CPU time and resident memory of the processes that have the marker in their environment, by what they run. Linux only. */
export function readProcesses(marker: string) {
  const cpuMs: Record<string, number> = {};
  const memoryMb: Record<string, number> = {};
  for (const pid of processesWith(marker)) {
    try {
      const part = partOf(commandOf(pid).join(" "));
      if (!part) continue;
      // From the third field on, which follows the program's name: utime, stime and rss are the fields 14, 15 and 24.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      const ticks = Number(fields[11]) + Number(fields[12]);
      cpuMs[`${part} CPU ms`] = (cpuMs[`${part} CPU ms`] ?? 0) + ticks * TICK_MS;
      memoryMb[`${part} MB`] = (memoryMb[`${part} MB`] ?? 0) + Number(fields[21]) * PAGE_MB;
    } catch {
      // The process has ended.
    }
  }
  return { cpuMs, memoryMb };
}

function partOf(command: string) {
  if (command.startsWith("sh ")) return undefined;
  if (/dynoxide|DynamoDBLocal/.test(command)) return "DynamoDB";
  if (command.includes("serverless.js")) return "API and consumer";
  return command.includes("localstack/start.ts") ? "SQS" : undefined;
}
