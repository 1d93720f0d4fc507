import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { folderForTest } from "../testkit/perTest.ts";
import { lockFolder, temporaryFolderOf } from "./folder.ts";

const HOLDER = `
  import { lockFolder } from ${JSON.stringify(new URL("folder.ts", import.meta.url).href)};
  globalThis.release = lockFolder(process.argv[1], "", "");
  console.log("locked");
  setTimeout(() => {}, 60_000);
`;

test("one process at a time holds the lock of a folder, and kill -9 releases it at once", async () => {
  const folder = join(folderForTest(), "new", "folder");
  const holder = spawn(process.execPath, ["--input-type=module", "-e", HOLDER, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  const lock = () => lockFolder(folder, "DATA_DIR", "another stack uses it");
  expect(lock).toThrow("another stack uses it");
  holder.kill("SIGKILL");
  await once(holder, "exit");
  const release = lock();
  expect(lock).toThrow("another stack uses it");
  release();
  lock()();
});

test("when a folder can't be created, the error has the system's reason", () => {
  const file = join(folderForTest(), "file");
  writeFileSync(file, "");
  expect(() => lockFolder(file, "DATA_DIR", "")).toThrow(/^DATA_DIR: can't be used \(ENOTDIR: .+\)$/);
  expect(() => lockFolder(join(file, "folder"), "DATA_DIR", "")).toThrow(/^DATA_DIR: can't be used \(ENOTDIR: .+\)$/);
});

test.runIf(existsSync("/dev/shm"))(
  "a stack's temporary folder is empty, and those of stacks that were killed are removed",
  () => {
    // No process has an id this high.
    const [dead, running] = ["/dev/shm/antler-99999999", `/dev/shm/antler-${process.ppid}`];
    for (const each of [dead, running]) mkdirSync(each, { recursive: true });
    onTestFinished(() => rmSync(running, { recursive: true }));
    const home = folderForTest();
    const { folder, remove } = temporaryFolderOf(home);
    writeFileSync(join(folder, "file"), "");
    const again = temporaryFolderOf(home);
    expect([existsSync(dead), existsSync(running), existsSync(join(again.folder, "file"))]).toEqual([
      false,
      true,
      false,
    ]);
    remove();
    expect(existsSync(folder)).toBe(false);
  },
);
