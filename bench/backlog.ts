import { mkdtempDisposableSync } from "node:fs";
import { join } from "node:path";
import { toPendingItem } from "../lib/aws/items.ts";
import type { Transaction } from "../lib/domain/transaction.ts";
import { encodeMessage } from "../lib/ledger/message.ts";
import { startSqs } from "../localstack/engines.ts";
import { provision } from "../localstack/provision.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { freePorts } from "../testkit/ports.ts";
import { template } from "../testkit/template.ts";
import { acceptedDeposit, fillTables, HOT_USER, MEMORY_FOLDER } from "./fill.ts";
import type { TransactionItem } from "./ledgerReader.ts";
import { startBenchStack } from "./stack.ts";

/** Every tenth command is the hot wallet's; the users send the others in turn. */
const COMMANDS = 100_000;
const USERS = 1000;

/** Starts a stack whose tables and queue already contain accepted commands, and waits until the queue is empty. */
export async function drainBacklog() {
  using folder = mkdtempDisposableSync(join(MEMORY_FOLDER, "antler-backlog-"));
  const commands = Array.from({ length: COMMANDS }, (_, index) =>
    acceptedDeposit(index % 10 === 0 ? HOT_USER : `bench-${(index - Math.ceil(index / 10)) % USERS}`, index),
  );
  await fillTables(
    folder.path,
    commands.map((command) => ["transactions", toPendingItem(command)]),
  );
  await fillQueue(folder.path, commands);
  await using stack = await startBenchStack({ DATA_DIR: folder.path });
  const before = stack.resources().memoryMb;
  await stack.untilIdle();
  const after = stack.resources().memoryMb;
  await stack.verify();
  const memory = Object.keys(before).map((part) => {
    return [`${part} before and after`, `${before[part]?.toFixed(0)}, ${after[part]?.toFixed(0)}`] as const;
  });
  return { ...summary(commands, await stack.ledger.transactions()), ...Object.fromEntries(memory) };
}

/** Fills the file of the embedded SQS. */
async function fillQueue(folder: string, commands: readonly Transaction[]): Promise<void> {
  const settings = readSettings({ ...(await freePorts("AWS_PORT")), DATA_DIR: folder });
  Object.assign(process.env, awsEnvironment(settings));
  const sqs = await startSqs(settings);
  const queues = Object.entries(template("local")).filter(([, { Type }]) => Type === "AWS::SQS::Queue");
  await provision(Object.fromEntries(queues));
  for (const command of commands) {
    const ofCommand = { messageGroupId: command.userId, messageDeduplicationId: command.id };
    sqs.sendMessage("antler-local-commands.fifo", encodeMessage({ commands: [command], requestId: "" }), ofCommand);
  }
  await sqs.stop();
}

function summary(commands: readonly Transaction[], transactions: readonly TransactionItem[]) {
  const sent = Map.groupBy(commands, ({ userId }) => userId);
  const sequences = new Map([...sent.values()].flatMap((ofUser) => ofUser.map(({ id }, index) => [id, index + 1])));
  const outOfOrder = transactions.filter(({ id, sequence }) => sequence !== sequences.get(id));
  const postedMs = transactions.map(({ decidedAt = "" }) => Date.parse(decidedAt)).filter((ms) => !Number.isNaN(ms));
  postedMs.sort((a, b) => a - b);
  const perSecond = (from: number, to: number) =>
    ((to - from) * 1000) / ((postedMs[to - 1] ?? Number.NaN) - (postedMs[from] ?? Number.NaN));
  // A queue that is slow when it is long shows in the first fifth.
  const fifth = Math.floor(postedMs.length / 5);
  const fifths = [0, 1, 2, 3, 4].map((index) => perSecond(index * fifth, (index + 1) * fifth).toFixed(0));
  return {
    commands: commands.length,
    posted: postedMs.length,
    "posted a second": perSecond(0, postedMs.length),
    "in each fifth": fifths.join(", "),
    "users with commands decided out of order": new Set(outOfOrder.map(({ userId }) => userId)).size,
  };
}
