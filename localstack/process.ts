import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const LEASH = fileURLToPath(new URL("leash.sh", import.meta.url));
const STOP_GRACE_MS = 5000;

/** A program of the stack's, in a process group of its own, that can't outlive this process. */
export interface Program {
  readonly name: string;
  /** Resolves with a sentence once the program has ended. */
  readonly ended: Promise<string>;
  /** Asks it to end, and after {@link STOP_GRACE_MS} makes it. */
  stop(): Promise<void>;
}

/** @param log file descriptor that takes the program's output */
export function startProgram(
  name: string,
  command: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  log: number,
): Program {
  const child: ChildProcess = spawn("sh", [LEASH, ...command], {
    stdio: ["pipe", log, log],
    env: environment,
    // Ctrl-C goes to the whole foreground group: only the stack itself shall hear it, and stop things in order.
    detached: true,
  });
  const exited = once(child, "exit");
  return {
    name,
    ended: exited.then(([code, signal]) => `${name} ended with ${signal ?? `exit code ${code}`}`),
    async stop() {
      child.kill("SIGTERM");
      // The end of its input makes the leash kill the program.
      const grace = setTimeout(() => child.stdin?.end(), STOP_GRACE_MS);
      await exited;
      clearTimeout(grace);
      child.stdin?.end();
      endGroup(child);
    },
  };
}

/** Whatever the program has started and left behind. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left.
  }
}
