import { expect, test } from "vitest";
import { COMMAND_TYPES } from "../../lib/domain/command.ts";
import { killRounds } from "../../testkit/killRounds.ts";
import { folderForTest } from "../../testkit/perTest.ts";

// scripts/kill-rounds.ts runs twenty rounds. A message that was in flight is delivered again after 60 s, hence the timeout.
test.runIf(process.platform === "linux")(
  "kill -9 of the queue, the database and the API during a load loses no command, no money and no event, and doubles no command and no money",
  async () => {
    const { kills, commands, posted, rejected, retried, events } = await killRounds({
      rounds: 3,
      seed: 1,
      folder: folderForTest(),
    });
    expect(kills).toEqual({ stack: 1, database: 1, api: 1, start: 0 });
    expect(commands).toBeGreaterThan(100);
    expect(Object.keys(posted).sort()).toEqual([...COMMAND_TYPES].sort());
    // A wallet at the balance limit rejects credits, so that they are returned.
    expect(rejected.credit).toBeGreaterThan(0);
    expect(retried).toBeGreaterThan(0);
    expect(events).toBeGreaterThanOrEqual(commands);
  },
  360_000,
);
