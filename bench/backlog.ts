import { mkdtempSync, rmSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { toPendingItem } from "../lib/aws/items.ts";
import type { Transaction } from "../lib/domain/transaction.ts";
import { encodeMessage } from "../lib/ledger/message.ts";
import { startSqs } from "../localstack/engines.ts";
import { provision } from "../localstack/provision.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { freePorts } from "../testkit/stack.ts";
import { template } from "../testkit/template.ts";
import type { Books } from "./books.ts";
import { accepted, HOT_USER, MEMORY_FOLDER, makeDatabase } from "./history.ts";
import type { ByPart } from "./processes.ts";
import type { Queue } from "./queue.ts";
import { startBenchStack } from "./stack.ts";

const HOT_COMMANDS = 10_000;
const USERS = 1000;
const COMMANDS_A_USER = 90;
const DRAIN_MAX_MS = 600_000;

/** The backlog is drained in this many parts of equal size: a queue that is slow when it is long shows in the first. */
const PARTS_OF_THE_WAY = 5;

export interface Drained {
  readonly commands: number;
  readonly commandsPerSecond: number;
  /** In each {@link PARTS_OF_THE_WAY}th of the commands. */
  readonly perSecondOnTheWay: readonly number[];
  readonly posted: number;
  /** Users whose commands were not all decided in the order in which they were sent. */
  readonly usersOutOfOrder: number;
  readonly memoryMbBefore: ByPart;
  readonly memoryMbAfter: ByPart;
}

/** Leaves commands accepted and sent while nothing consumes them, and then starts a stack, which finds them waiting. */
export async function drainBacklog(): Promise<Drained> {
  const folder = mkdtempSync(`${MEMORY_FOLDER}/antler-backlog-`);
  try {
    const commands = backlog();
    await makeDatabase(folder, async (put) => {
      for (const command of commands) await put("TransactionsTable", { ...toPendingItem(command) });
    });
    await sendAll(commands, folder);
    const stack = await startBenchStack({ DATA_DIR: folder });
    try {
      const memoryMbBefore = stack.memoryMb();
      await untilEmpty(stack.queue);
      const memoryMbAfter = stack.memoryMb();
      await stack.verify();
      return { ...(await judge(commands, stack.books)), memoryMbBefore, memoryMbAfter };
    } finally {
      await stack.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The hot wallet's commands among those of all the others. */
function backlog(): Transaction[] {
  const commands: Transaction[] = [];
  for (let round = 0; round < COMMANDS_A_USER; round++) {
    for (let user = 1; user <= USERS; user++) commands.push(accepted(`bench-${user}`, round, "deposit", 100n));
    const hot = HOT_COMMANDS / COMMANDS_A_USER;
    for (let index = Math.ceil(round * hot); index < (round + 1) * hot; index++) {
      commands.push(accepted(HOT_USER, index, "deposit", 100n));
    }
  }
  return commands;
}

/** Into the queue's file, as the embedded SQS of the stack will find it there. */
async function sendAll(commands: readonly Transaction[], folder: string): Promise<void> {
  const settings = readSettings({ ...(await freePorts("AWS_PORT")), DATA_DIR: folder });
  Object.assign(process.env, awsEnvironment(settings));
  const sqs = await startSqs(settings);
  const queues = Object.entries(template("local")).filter(([, { Type }]) => Type === "AWS::SQS::Queue");
  const ids = await provision(Object.fromEntries(queues));
  const name = ids.get("CommandsQueue")?.attributes.QueueName ?? "";
  for (const command of commands) {
    const { id, userId, fingerprint, createdAt } = command;
    sqs.sendMessage(name, encodeMessage({ command, fingerprint, acceptedAt: createdAt, requestId: "" }), {
      messageGroupId: userId,
      messageDeduplicationId: id,
    });
  }
  await sqs.stop();
}

async function untilEmpty(queue: Queue): Promise<void> {
  const deadlineMs = Date.now() + DRAIN_MAX_MS;
  while ((await queue.length()) > 0) {
    if (Date.now() > deadlineMs) throw new Error(`After ${DRAIN_MAX_MS / 1000} s there are still commands waiting`);
    await setTimeout(500);
  }
}

async function judge(commands: readonly Transaction[], books: Books) {
  const sentAs = new Map<string, number>();
  const sentOf = new Map<string, number>();
  for (const { id, userId } of commands) {
    const number = (sentOf.get(userId) ?? 0) + 1;
    sentOf.set(userId, number);
    sentAs.set(id, number);
  }
  const outOfOrder = new Set<string>();
  const postedAtMs: number[] = [];
  for await (const { id, userId, sequence, postedAt } of books.transactions()) {
    if (sequence !== sentAs.get(id)) outOfOrder.add(userId);
    if (postedAt !== undefined) postedAtMs.push(Date.parse(postedAt));
  }
  postedAtMs.sort((a, b) => a - b);
  const perSecond = (from: number, to: number) => {
    const elapsedMs = (postedAtMs[to - 1] ?? Number.NaN) - (postedAtMs[from] ?? Number.NaN);
    return ((to - from) * 1000) / elapsedMs;
  };
  const part = Math.floor(postedAtMs.length / PARTS_OF_THE_WAY);
  return {
    commands: commands.length,
    commandsPerSecond: perSecond(0, postedAtMs.length),
    perSecondOnTheWay: Array.from({ length: PARTS_OF_THE_WAY }, (_, index) =>
      perSecond(index * part, (index + 1) * part),
    ),
    posted: postedAtMs.length,
    usersOutOfOrder: outOfOrder.size,
  };
}
