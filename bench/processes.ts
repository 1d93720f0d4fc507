import { readFileSync } from "node:fs";
import { commandOf, processesWith } from "../test/support/processes.ts";

/** CPU time is counted in ticks of 10 ms, on every Linux that Node runs on. */
const TICK_MS = 10;

export const PARTS = ["API and consumer", "SQS", "DynamoDB"] as const;
export type Part = (typeof PARTS)[number];

export type CpuMs = ReadonlyMap<Part, number>;

/** CPU time so far of a stack's processes, by the part that each plays. Linux only: it reads /proc. */
export function cpuOf(marker: string): CpuMs {
  const byPart = new Map<Part, number>();
  for (const pid of processesWith(marker)) {
    try {
      const part = partOf(commandOf(pid));
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
      if (part) byPart.set(part, (byPart.get(part) ?? 0) + cpuMs);
    } catch {
      // It ended in between.
    }
  }
  return byPart;
}

export function partOf([program = "", ...args]: readonly string[]): Part | undefined {
  const command = [program, ...args].join(" ");
  if (program === "sh") return undefined;
  if (program.includes("dynoxide") || command.includes("DynamoDBLocal")) return "DynamoDB";
  if (command.includes("serverless.js")) return "API and consumer";
  if (command.includes("localstack/start.ts")) return "SQS";
  return undefined;
}
