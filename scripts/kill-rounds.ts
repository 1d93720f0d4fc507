import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { killRounds } from "../test/support/killRounds.ts";

/**
 * `npx node scripts/kill-rounds.ts [--rounds N] [--seed S]`: kill -9 of the database, the queue and the API in mid-load,
 * round after round on one DATA_DIR. Exits 1 when a command was lost or doubled. Linux only.
 */
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, seed: { type: "string", default: "1" } },
});
const folder = mkdtempSync(join(tmpdir(), "antler-"));
const startedAtMs = Date.now();
try {
  const report = await killRounds({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    folder,
    log: console.log,
  });
  console.log({ ...report, seconds: Math.round((Date.now() - startedAtMs) / 1000) });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
