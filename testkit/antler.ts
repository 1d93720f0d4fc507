import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

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
