import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { KILL_WITH_PARENT } from "./process.ts";

/** Runs a command that would print "ready" and then run for a minute. */
const PARENT = `
  import { spawn } from "node:child_process";
  const args = [process.argv[1], "sh", "-c", "echo ready; exec sleep 60"];
  spawn("sh", args, { stdio: ["pipe", "inherit", "ignore"] });
`;

test.each(["SIGTERM", "SIGKILL"] as const)(
  "when %s ends the parent, its command is killed",
  async (signal) => {
    const parent = spawn(process.execPath, ["--input-type=module", "-e", PARENT, KILL_WITH_PARENT], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => {
      parent.kill("SIGKILL");
    });
    await once(parent.stdout, "data");
    parent.kill(signal);
    // The pipe ends when the command, the last process that has it open, has ended.
    expect(await text(parent.stdout)).toBe("");
  },
  20_000,
);
