import { parseArgs } from "node:util";
import { pendingTransactions } from "../lib/aws/books.ts";
import { ports } from "../lib/aws/ports.ts";
import { requeue } from "../lib/ledger/requeue.ts";
import { command, Refusal } from "./command.ts";
import { aimAtQueues } from "./target.ts";

/** `npm run requeue -- --older-than AGE [--stage STAGE]`: sends again what has been pending for longer than that. */
const USAGE = "Usage: npm run requeue -- --older-than AGE [--stage STAGE]   (AGE such as 30s, 10m, 2h, 1d)";

const UNIT_MS = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

await command(USAGE, async () => {
  const { values } = parseArgs({
    options: { "older-than": { type: "string" }, stage: { type: "string", default: "local" } },
  });
  const age = values["older-than"];
  const ageMs = toMilliseconds(age);
  if (ageMs === undefined) throw new Refusal(USAGE);
  await aimAtQueues(values.stage);

  const createdBefore = new Date(Date.now() - ageMs).toISOString();
  const { transactions, users, failures } = await requeue(pendingTransactions(createdBefore), ports.queue);
  console.log(`Pending for longer than ${age} and sent again: ${transactions} (users: ${users})`);
  for (const { userId, unsent, error } of failures) console.error(`Not sent, of user ${userId}: ${unsent} (${error})`);
  if (failures.length > 0) process.exitCode = 1;
});

function toMilliseconds(age = ""): number | undefined {
  const [, count, unit = ""] = /^([0-9]{1,6})([smhd])$/.exec(age) ?? [];
  const unitMs = UNIT_MS.get(unit);
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}
