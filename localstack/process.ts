import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A shell script that runs its arguments, and kills what they started when its standard input ends. */
export const KILL_WITH_PARENT = fileURLToPath(new URL("kill-with-parent.sh", import.meta.url));
const STOP_GRACE_MS = 5000;

/** A program of the stack, in a process group of its own; it ends with this process. */
export interface Program {
  readonly name: string;
  /** Resolves with a sentence when the program has ended. */
  readonly ended: Promise<string>;
  /** Sends SIGTERM, and SIGKILL after {@link STOP_GRACE_MS}; resolves when the program has ended. */
  stop(): Promise<void>;
}

/** @param log file descriptor that the program's output goes to */
export function startProgram(
  name: string,
  command: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  log: number,
): Program {
  const child: ChildProcess = spawn("sh", [KILL_WITH_PARENT, ...command], {
    stdio: ["pipe", log, log],
    env: environment,
    // Ctrl-C goes to the foreground process group: only the stack may get it, so that it stops its programs in order.
    detached: true,
  });
  const exited = once(child, "exit");
  return {
    name,
    ended: exited.then(([code, signal]) => `${name} ended with ${signal ?? `exit code ${code}`}`),
    async stop() {
      child.kill("SIGTERM");
      const grace = setTimeout(() => child.stdin?.end(), STOP_GRACE_MS);
      await exited;
      clearTimeout(grace);
      child.stdin?.end();
      killGroup(child);
    },
  };
}

/** Kills what the program has started and not stopped. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has no process.
  }
}
