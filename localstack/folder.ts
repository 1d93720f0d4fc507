import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SettingError } from "./settings.ts";

const SQLITE_BUSY = 5;

/**
 * Creates a folder unless it exists, and locks it for this process. The operating system holds the lock and releases it
 * when the process ends, for any reason.
 *
 * @param name of the folder in an error message
 * @param lockedMessage the error message when another process holds the lock
 * @returns releases the lock
 * @throws SettingError when the folder can't be written, or another process holds the lock
 */
export function lockFolder(folder: string, name: string, lockedMessage: string): () => void {
  const file = join(folder, "stack.lock");
  try {
    createFolder(folder);
    // SQLite's error would not contain the reason.
    closeSync(openSync(file, "a"));
    const database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return () => database.close();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ("errcode" in error && error.errcode === SQLITE_BUSY) throw new SettingError(lockedMessage);
    throw new SettingError(`${name}: can't be used (${error.message})`);
  }
}

/** A file system in memory, on Linux. */
const MEMORY = "/dev/shm";
const MEMORY_BYTES_MIN = 1024 ** 3;

/**
 * Creates an empty folder for data that ends with the stack: in memory if there is at least 1 GB, because a database that
 * waits for the disk takes three times as long for a write, else in the stack's own folder.
 *
 * @param home the stack's own folder, which is locked
 * @returns the folder, and what removes it
 */
export function temporaryFolderOf(home: string): { readonly folder: string; readonly remove: () => void } {
  const { bavail = 0, bsize = 0 } = existsSync(MEMORY) ? statfsSync(MEMORY) : {};
  const isInMemory = bavail * bsize >= MEMORY_BYTES_MIN;
  const folder = isInMemory ? join(MEMORY, `antler-${process.pid}`) : join(home, "data");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // Stacks that were killed have left theirs.
  if (isInMemory) removeThoseOfDeadProcesses();
  remove();
  mkdirSync(folder, { mode: 0o700 });
  return { folder, remove };
}

function removeThoseOfDeadProcesses(): void {
  for (const name of readdirSync(MEMORY)) {
    const pid = /^antler-(\d+)$/.exec(name)?.[1];
    if (!pid || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(join(MEMORY, name), { recursive: true });
    } catch {
      // Another user's.
    }
  }
}

/** As `mkdirSync` with `recursive`, which never returns where the system reports ENOENT, such as in /proc. */
function createFolder(folder: string): void {
  if (existsSync(folder)) return;
  createFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another stack may have created it in between.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}
