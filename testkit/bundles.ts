import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { stop as stopEsbuild } from "esbuild";
import { bundleFunctions } from "../infra/bundle.ts";

/** All stacks of a test run share the bundles. In the repository, because a function finds a package from its bundle. */
export default async function setup(): Promise<(() => void) | undefined> {
  if (process.env.ANTLER_BUNDLES) return undefined;
  const folder = join(import.meta.dirname, "../.antler", `bundles-${randomUUID()}`);
  await bundleFunctions(folder);
  await stopEsbuild();
  process.env.ANTLER_BUNDLES = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
