import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { killRounds } from "../../testkit/killRounds.ts";

// scripts/kill-rounds.ts does twenty. A command that was in flight comes back after 60 s, hence the time.
test.runIf(process.platform === "linux")(
  "kill -9 of the queue, of the database and of the API in the middle of a load loses and doubles nothing",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "antler-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { kills, commands, posted, rejected, retried } = await killRounds({ rounds: 3, seed: 1, folder });
    expect(kills).toEqual({ stack: 1, database: 1, api: 1, start: 0 });
    expect(commands).toBeGreaterThan(100);
    expect(posted + rejected).toBe(commands);
    expect(retried).toBeGreaterThan(0);
  },
  240_000,
);
