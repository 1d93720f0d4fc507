import { spawn } from "node:child_process";
import { fstatSync } from "node:fs";

const CHECK_INTERVAL_MS = 500;

/**
 * Calls back once the parent of this process has ended, or the reader of its output. The system signals neither to a
 * process that writes nothing. A reader is watched only where `tail` can do it (GNU coreutils 8.28 and later); without
 * that, its end shows at the next write.
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

/** Node can't poll a pipe for the end of its reader. `tail` does, and then ends by SIGPIPE. */
function watchReader(callback: () => void): () => void {
  const seconds = String(CHECK_INTERVAL_MS / 1000);
  const tail = spawn("tail", ["-f", "-s", seconds, `--pid=${process.pid}`, "/dev/null"], {
    stdio: ["ignore", "inherit", "ignore"],
  });
  tail.unref();
  // Where there is no tail, or one that lacks an option, it ends at once and for another reason.
  tail.once("error", () => {});
  tail.once("exit", (_code, signal) => {
    if (signal === "SIGPIPE") callback();
  });
  return () => {
    tail.kill();
  };
}
