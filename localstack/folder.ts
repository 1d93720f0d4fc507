import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
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
