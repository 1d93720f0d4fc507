import * as z from "zod";
import { sqsPublishFailureQueue } from "../lib/aws/discardedBatches.ts";
import { dynamoLedgerReader } from "../lib/aws/ledgerReader.ts";
import { publishers } from "../lib/aws/publishers.ts";
import { dynamoStore } from "../lib/aws/store.ts";
import { eventOf } from "../lib/http/cloudEvent.ts";
import {
  type Attempt,
  type PublishFailure,
  type Republished,
  type RepublishPorts,
  republishFailures,
  republishRange,
  republishSince,
} from "../lib/ledger/republish.ts";
import { systemClock } from "../lib/runtime/clock.ts";
import { setting } from "../lib/runtime/config.ts";
import { CommandError, command, UsageError, wholeNumber } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStageWithEvents } from "./target.ts";

const USAGE = `Usage: npm run republish -- --user USER --from N [--to N] | --since TIME | --discarded   [--dry-run] [--stage STAGE]

Publishes decisions again: those of a user by their sequence numbers, those of all users since a time such as 2026-11-23T09:30:00Z, or
those that the failure queue says are not published, whose messages it then removes. With --dry-run it only says which they are.
Without --stage, it uses the stack of npm start. SNS drops an event that was published in the five minutes before.`;

/** A decision is written at most half a minute after its time, and the stream's records have the time of the write. */
const WRITTEN_WITHIN_MS = 60_000;

const definition = {
  usage: USAGE,
  options: {
    user: z.string().min(1, "must not be empty").optional(),
    from: wholeNumber(1).optional(),
    to: wholeNumber(1).optional(),
    since: z.iso
      .datetime({ offset: true, error: "must be a time such as 2026-11-23T09:30:00Z" })
      .transform((time) => new Date(time).toISOString())
      .optional(),
    discarded: z.literal(true, "has no value").optional(),
    "dry-run": z.literal(true, "has no value").optional(),
    stage,
  },
};

export default await command(
  definition,
  async ({ user, from, to, since, discarded, "dry-run": dryRun = false, stage }) => {
    if ([user, since, discarded].filter((given) => given !== undefined).length !== 1) {
      throw new UsageError("One of --user, --since and --discarded is needed");
    }
    if ((user === undefined) !== (from === undefined)) throw new UsageError("--user and --from need each other");
    if (to !== undefined && (from === undefined || to < from)) throw new UsageError("--to must not be below --from");
    await useStageWithEvents(stage);
    const ports: RepublishPorts = {
      store: dynamoStore,
      publishers: dryRun ? [] : publishers,
      eventOf: (transaction) => eventOf(transaction, setting("EVENT_SOURCE")),
      clock: systemClock,
    };
    if (discarded) await republishDiscarded(dryRun, ports);
    else if (since !== undefined) print(await republishSince(since, dynamoLedgerReader.wallets(), ports), dryRun);
    else if (user !== undefined && from !== undefined) print(await republishUser(user, from, to, ports), dryRun);
  },
  import.meta.main,
);

async function republishDiscarded(dryRun: boolean, ports: RepublishPorts): Promise<void> {
  let count = 0;
  await republishFailures(sqsPublishFailureQueue, dryRun, ports, (attempt) => {
    count++;
    printAttempt(attempt, dryRun);
  });
  if (count === 0) console.log("The failure queue has no messages");
}

async function republishUser(user: string, from: number, to: number | undefined, ports: RepublishPorts) {
  const wallet = await dynamoStore.readWallet(user);
  const last = wallet?.sequence ?? 0;
  if (!wallet || from > last || (to ?? last) > last) {
    throw new CommandError(`The last decision of user ${user} has the sequence number ${last}`);
  }
  return republishRange(user, { from, to: to ?? last }, wallet, ports);
}

function print({ events, users, failures }: Republished, dryRun: boolean): void {
  console.log(`${dryRun ? "To be published" : "Published"}: ${events} events (users: ${users})`);
  printFailures(failures);
}

function printFailures(failures: Republished["failures"]): void {
  for (const { userId, error } of failures) {
    console.error(printable(`Not everything is published of user ${userId}: ${String(error)}`));
  }
  if (failures.length > 0) process.exitCode = 1;
}

function printAttempt({ message, changes, republished }: Attempt<PublishFailure>, dryRun: boolean): void {
  const { messageId, sentAt, content } = message;
  const problem = content?.problem ?? "not a message of the publisher or of Lambda";
  console.log(printable(`${messageId}  ${sentAt.toISOString()}  ${problem}`));
  for (const [userId, own] of Map.groupBy(changes ?? [], (change) => change.userId)) {
    const ranges = own.map((change) => {
      if ("unreadable" in change) return "unreadable";
      const from = (change.before?.sequence ?? 0) + 1;
      return from > change.after.sequence ? "none" : `${from}-${change.after.sequence}`;
    });
    console.log(printable(`  ${userId}: ${[...new Set(ranges)].join(", ")}`));
  }
  if (republished) {
    const outcome = republished.failures.length > 0 || dryRun ? "kept" : "removed";
    console.log(
      `  ${dryRun ? "To be published" : "Published"}: ${republished.events} events; the message is ${outcome}`,
    );
    printFailures(republished.failures);
    return;
  }
  process.exitCode = 1;
  if (content && "batch" in content) {
    const arrivedAt = content.arrivedAt === undefined ? sentAt : new Date(content.arrivedAt);
    const since = new Date(arrivedAt.getTime() - WRITTEN_WITHIN_MS).toISOString();
    console.log(
      `  The stream does not have its records any more. Publish them with --since ${since}, then delete the message`,
    );
  } else {
    console.log(
      printable(`  Its decisions are unknown${content ? `. Publish them with --user ${content.userId} --from N` : ""}`),
    );
  }
}
