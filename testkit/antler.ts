import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { vi } from "vitest";
import { importTool } from "../packages/cli/src/checkout.ts";
import { operatorUsage } from "../packages/cli/src/program.ts";

export const ANTLER = join(import.meta.dirname, "../packages/cli/bin/antler.js");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `antler` to its end, in this checkout or as another program. */
export async function antler(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { stdin = "", program = ANTLER }: { readonly stdin?: string; readonly program?: string } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...environment } });
  child.stdin.end(stdin);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

/** Runs a command of operators on the stage `test` in this process, with its environment, as `antler` does in a process of its own. */
export async function operate(name: string, ...args: readonly string[]): Promise<{ code: unknown; output: string }> {
  let output = "";
  const print = (line: string) => {
    output += `${line}\n`;
  };
  const spies = [
    vi.spyOn(console, "log").mockImplementation(print),
    vi.spyOn(console, "error").mockImplementation(print),
    // Errors that nothing catches are the test runner's.
    vi.spyOn(process, "on").mockReturnThis(),
  ];
  try {
    const tool = await importTool(name);
    await tool.run([...args, "--stage", "test"], operatorUsage(tool));
    return { code: process.exitCode ?? 0, output };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
}
