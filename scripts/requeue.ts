import * as z from "zod";
import { ports } from "../lib/aws/adapters.ts";
import { pendingTransactions } from "../lib/aws/ledgerReader.ts";
import { requeue } from "../lib/ledger/requeue.ts";
import { command } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStageWithQueues } from "./target.ts";

const USAGE = `Usage: npm run requeue -- --older-than AGE [--stage STAGE]   (AGE such as 30s, 10m, 2h, 1d)

Resends the commands that have been pending for longer than AGE. Without --stage, it uses the stack of npm start.`;

const UNIT_MS = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const olderThan = z
  .string()
  .regex(/^[0-9]{1,6}[smhd]$/, "must be a number of s, m, h or d, such as 10m")
  .transform((age) => ({ age, ageMs: Number(age.slice(0, -1)) * (UNIT_MS.get(age.slice(-1)) ?? 0) }));

export default await command(
  { usage: USAGE, options: { "older-than": olderThan, stage } },
  async (values) => {
    const { age, ageMs } = values["older-than"];
    await useStageWithQueues(values.stage);

    const createdBefore = new Date(Date.now() - ageMs).toISOString();
    const { transactions, users, failures, unreadable } = await requeue(
      pendingTransactions(createdBefore),
      ports.queue,
    );
    console.log(`Pending for longer than ${age} and resent: ${transactions} (users: ${users})`);
    for (const { userId, unsent, error } of failures) {
      console.error(printable(`Not resent, of user ${userId}: ${unsent} (${error})`));
    }
    for (const { userId, message } of unreadable) console.error(printable(`Not resent: user ${userId} ${message}`));
    if (failures.length + unreadable.length > 0) process.exitCode = 1;
  },
  import.meta.main,
);
