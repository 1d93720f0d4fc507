import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { hostInUrl } from "../localstack/settings.ts";
import { READY_TIMEOUT_MS } from "../localstack/tcp.ts";
import { freeStackPorts } from "./ports.ts";

const ROOT = join(import.meta.dirname, "..");

export interface Stack {
  readonly apiUrl: string;
  /** What the stack was started with: a second start with it has the same ports. */
  readonly environment: Readonly<Record<string, string>>;
  readonly process: ChildProcess;
  /** What it has printed so far. */
  output(): string;
  /** Stops it as Ctrl-C does. @returns the exit code */
  stop(): Promise<number | null>;
}

/** Runs `localstack/start.ts`, or another command that runs it, in this checkout or in another one. */
export function launch(
  environment: Readonly<Record<string, string>>,
  [program, ...args]: readonly [string, ...string[]] = [process.execPath, "localstack/start.ts"],
  folder = ROOT,
) {
  return spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Starts a stack on free ports, or on those of the environment, and waits until it is ready. */
export async function startStack(environment: Readonly<Record<string, string>> = {}, folder = ROOT): Promise<Stack> {
  const all = { ...(await freeStackPorts()), ...environment };
  const child = launch(all, undefined, folder);
  const output = collect(child);
  await new Promise<void>((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`The stack is not ready: ${output()}`)), READY_TIMEOUT_MS);
    child.stdout?.on("data", () => {
      if (!output().includes("Antler is ready")) return;
      clearTimeout(timeout);
      resolve();
    });
    child.once("exit", (code) => reject(new Error(`The stack ended with ${code}: ${output()}`)));
  });
  return {
    apiUrl: `http://${hostInUrl(environment.API_HOST ?? "127.0.0.1")}:${all.API_PORT}`,
    environment: all,
    process: child,
    output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      child.kill("SIGINT");
      const [code] = await once(child, "exit");
      return code;
    },
  };
}

/** @returns reads what the process has printed so far */
export function collect(child: ChildProcess): () => string {
  let output = "";
  const add = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout?.on("data", add);
  child.stderr?.on("data", add);
  return () => output;
}

/** Runs one of the repository's scripts to its end. */
export async function run(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  folder = ROOT,
): Promise<{ code: number | null; output: string }> {
  const child = launch(environment, [process.execPath, script, ...args], folder);
  const output = collect(child);
  const [code] = await once(child, "close");
  return { code, output: output() };
}
