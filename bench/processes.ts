import { readFileSync } from "node:fs";
import { commandOf, processesWith } from "../test/support/processes.ts";

/** Linux counts CPU time in ticks of 10 ms, and memory in pages of 4 KB. */
const TICK_MS = 10;
const PAGE_MB = 4 / 1024;

/** Numbers by what the processes run, such as `SQS`. */
export type ByPart = Readonly<Record<string, number>>;

/**
 * CPU time so far in milliseconds and resident memory in MB of the processes whose environment contains the marker. Linux only:
 * it is read from /proc.
 */
export function readProcesses(marker: string): { readonly cpuMs: ByPart; readonly memoryMb: ByPart } {
  const cpuMs = { "API and consumer": 0, SQS: 0, DynamoDB: 0 };
  const memoryMb = { ...cpuMs };
  for (const pid of processesWith(marker)) {
    try {
      const part = partOf(commandOf(pid).join(" "));
      // From the third field on, which follows the program's name: utime, stime and rss are the fields 14, 15 and 24.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      if (!part) continue;
      cpuMs[part] += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
      memoryMb[part] += Number(fields[21]) * PAGE_MB;
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
