import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SettingError } from "./settings.ts";

const SQLITE_BUSY = 5;

/**
 * Makes a folder where there is none, and locks it for this process. The lock is the system's own, on an open file: it is
 * released however the process ends.
 *
 * @param name what the folder is called where it can't be used
 * @param lockedMessage why it can't be used while another process has it
 * @returns releases it
 * @throws SettingError when it can't be written, or another process has it
 */
export function lockFolder(folder: string, name: string, lockedMessage: string): () => void {
  const file = join(folder, "stack.lock");
  try {
    makeFolder(folder);
    // SQLite would not give the reason.
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

/** As `mkdirSync` with `recursive`, which never returns where the system answers ENOENT, such as in /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Two stacks can start at once.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}
