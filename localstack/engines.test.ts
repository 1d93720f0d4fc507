import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { dynoxideFile } from "./engines.ts";

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
