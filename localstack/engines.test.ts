import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import * as z from "zod";
import { listenForTest } from "../testkit/perTest.ts";
import { dynoxideFile, startSqs } from "./engines.ts";
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

test("the queue's port that another stack takes during the start is reported as taken", async () => {
  const AWS_PORT = String(await listenForTest(createServer()));
  await expect(startSqs(readSettings({ AWS_PORT }))).rejects.toThrow(
    new SettingError(`Port ${AWS_PORT} is taken: set AWS_PORT to a free one`),
  );
});
