import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { folderForTest, listenForTest } from "../testkit/perTest.ts";
import { dynoxideFile, prepareStream, startSqs } from "./engines.ts";
import { readSettings, SettingError } from "./settings.ts";

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      os: z.array(z.string()).optional(),
      cpu: z.array(z.string()).optional(),
      optional: z.boolean().optional(),
    }),
  ),
});
const { packages } = lockSchema.parse(
  JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8")),
);

test.each([
  ["linux", "x64", "dynoxide"],
  ["linux", "arm64", "dynoxide"],
  ["darwin", "x64", "dynoxide"],
  ["darwin", "arm64", "dynoxide"],
  ["win32", "x64", "dynoxide.exe"],
] as const)("on %s %s npm installs dynoxide for that platform, and the stack starts it", (os, cpu, file) => {
  const name = `@dynoxide/${os}-${cpu}`;
  expect(packages[`node_modules/${name}`]).toMatchObject({ os: [os], cpu: [cpu], optional: true });
  expect(dynoxideFile(os, cpu)).toBe(`${name}/${file}`);
});

test("a stream of dynoxide has an index, the records of 24 hours, and the newest record of each table", () => {
  const folder = folderForTest();
  const database = new DatabaseSync(join(folder, "dynoxide.db"));
  onTestFinished(() => database.close());
  database.exec(
    `CREATE TABLE _stream_records (id INTEGER PRIMARY KEY, table_name TEXT, sequence_number TEXT, created_at INTEGER);
     INSERT INTO _stream_records VALUES (1, 'idle', '1', 0), (2, 'idle', '2', 0), (3, 'busy', '1', unixepoch() - 90000),
       (4, 'busy', '2', unixepoch() - 80000), (5, 'busy', '3', unixepoch())`,
  );
  prepareStream({ DATA_DIR: folder }, "unused");
  prepareStream({ DATA_DIR: undefined }, folder);
  const ids = database.prepare("SELECT id FROM _stream_records ORDER BY id").all();
  expect(ids.map(({ id }) => id)).toEqual([2, 4, 5]);
  const plan = database
    .prepare(
      "EXPLAIN QUERY PLAN SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?",
    )
    .all();
  expect(plan).toEqual([expect.objectContaining({ detail: expect.stringContaining("USING COVERING INDEX") })]);
});

test("the queue's port that another stack takes during the start is reported as taken", async () => {
  const AWS_PORT = String(await listenForTest(createServer()));
  await expect(startSqs(readSettings({ AWS_PORT }))).rejects.toThrow(
    new SettingError(`Port ${AWS_PORT} is taken: set AWS_PORT to a free one`),
  );
});
