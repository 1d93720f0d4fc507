import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The processes that the tests start compile what they share once. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "antler-compiled-"));
  process.env.NODE_COMPILE_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
