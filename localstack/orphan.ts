import { spawn } from "node:child_process";
import { fstatSync } from "node:fs";

const CHECK_INTERVAL_MS = 500;

/**
 * Calls back when the parent of this process or the reader of its output has ended: a process that writes nothing gets no
 * signal of either. The reader's end is detected by `tail` (GNU coreutils 8.28 and later), or else at the next write.
 *
 * @returns ends the watch
 */
export function onOrphaned(callback: () => void): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) callback();
  }, CHECK_INTERVAL_MS).unref();
  for (const stream of [process.stdout, process.stderr]) stream.on("error", callback);
  const stopReaderWatch = fstatSync(process.stdout.fd).isFIFO() ? watchReader(callback) : undefined;
  return () => {
    clearInterval(timer);
    stopReaderWatch?.();
  };
}

/** Node can't detect the end of a pipe's reader without a write. `tail` can, and then ends with SIGPIPE. */
function watchReader(callback: () => void): () => void {
  const seconds = String(CHECK_INTERVAL_MS / 1000);
  const tail = spawn("tail", ["-f", "-s", seconds, `--pid=${process.pid}`, "/dev/null"], {
    stdio: ["ignore", "inherit", "ignore"],
  });
  tail.unref();
  // A tail that is missing or lacks an option ends at once, without SIGPIPE.
  tail.once("error", () => {});
  tail.once("exit", (_code, signal) => {
    if (signal === "SIGPIPE") callback();
  });
  return () => {
    tail.kill();
  };
}
