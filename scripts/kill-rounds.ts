import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killRounds } from "../testkit/killRounds.ts";
import { readArguments, wholeNumber } from "./command.ts";

const USAGE = `Usage: npx node scripts/kill-rounds.ts [--rounds N] [--seed S]

Kills the database, the queue or the API with SIGKILL during a load, N times (20) on the same data. The seed (1) determines the
commands and the moments. Exits with 1 if a command or money is lost or duplicated, a transfer does not end, a hold stays open, a
decision is not published, or not in order, or an event is not delivered to a webhook endpoint.
Linux only.`;

const { rounds, seed } = readArguments({
  usage: USAGE,
  options: { rounds: wholeNumber(1).default(20), seed: wholeNumber(0).default(1) },
  usesLocalSettings: true,
});
const folder = mkdtempSync(join(tmpdir(), "antler-"));
const startedAtMs = Date.now();
try {
  const report = await killRounds({ rounds, seed, folder, deliveries: true, log: console.log });
  console.log({ ...report, seconds: Math.round((Date.now() - startedAtMs) / 1000) });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
