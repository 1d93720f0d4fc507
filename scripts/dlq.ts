import * as z from "zod";
import { ports } from "../lib/aws/adapters.ts";
import { type ReceivedDeadLetter, sqsDeadLetters } from "../lib/aws/deadLetters.ts";
import { countMessages } from "../lib/aws/operatorQueue.ts";
import type { Command } from "../lib/domain/command.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { movementOf } from "../lib/domain/movements/index.ts";
import { statusOf } from "../lib/domain/transaction.ts";
import { commandsIn } from "../lib/ledger/message.ts";
import { peek, redrive } from "../lib/ledger/redrive.ts";
import { CommandError, command, UsageError } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStageWithQueues } from "./target.ts";

const USAGE = `Usage: npm run dlq -- list | show ID | redrive [--user USER]   [--stage STAGE]

Lists the dead-letter messages, shows one by its message id or transaction id, or resends the commands of all messages or of one
user's. Without --stage, it uses the queue of npm start.`;

const LIST_MAX = 100;
/** How long messages stay hidden if a peek is killed before it releases them. */
const PEEK_HIDES_SECONDS = 20;
/** Longer than ten sends can take. */
const REDRIVE_HIDES_SECONDS = 300;

const definition = {
  usage: USAGE,
  options: { user: z.string().min(1, "must not be empty").optional(), stage },
  positionals: {
    action: z.enum(["list", "show", "redrive"], "must be list, show or redrive"),
    id: z.string().min(1, "must not be empty").optional(),
  },
};

export default await command(
  definition,
  async ({ action, id, user, stage }) => {
    if (action !== "show" && id !== undefined) throw new UsageError(`Unexpected argument '${printable(id)}'`);
    if (action !== "redrive" && user !== undefined) throw new UsageError(`${action} has no --user`);
    if (action === "show" && id === undefined) throw new UsageError("ID is missing");
    await useStageWithQueues(stage);
    if (id !== undefined) await show(id);
    else if (action === "list") await list();
    else await resend(user);
  },
  import.meta.main,
);

/** Prints a line that contains text of a message. */
function print(line: string): void {
  console.log(printable(line));
}

async function list(): Promise<void> {
  const received = await peek(sqsDeadLetters(PEEK_HIDES_SECONDS), (seen) => seen.length >= LIST_MAX);
  for (const deadLetter of received) {
    const { messageId, sentAt, userId } = deadLetter;
    print(`${messageId}  ${sentAt.toISOString()}  ${userId}  ${transactionIdsOf(deadLetter)}  ${reasonOf(deadLetter)}`);
  }
  const more = (await countMessages("DEAD_LETTER_QUEUE_URL")) - received.length;
  console.log(`Dead-letter messages: ${received.length}`);
  if (more > 0) console.log(`About ${more} more: behind the first ten of their user, or received by another process.`);
}

async function show(id: string): Promise<void> {
  const hasId = (each: ReceivedDeadLetter) =>
    each.messageId === id || commandsIn(each.message).some((one) => one.id === id);
  const found = (await peek(sqsDeadLetters(PEEK_HIDES_SECONDS), (seen) => seen.some(hasId))).find(hasId);
  if (!found) {
    throw new CommandError(`No dead-letter message or transaction ${id} is among those that can be received now`);
  }
  const { messageId, userId, sentAt, message, body } = found;
  print(`message        ${messageId}`);
  print(`user           ${userId}`);
  print(`dead-lettered  ${sentAt.toISOString()}`);
  print(`reason         ${reasonOf(found)}`);
  if (commandsIn(message).length === 0) return print(`body           ${body}`);
  for (const command of commandsIn(message)) {
    const stored = await ports.store.findTransaction(userId, command.id);
    const current = stored ? `${statusOf(stored)} ${commandText(stored)}` : "no transaction with this id was accepted";
    print(`transaction    ${command.id}`);
    print(`command        ${commandText(command)}`);
    print(`accepted       ${command.createdAt} by request ${message?.requestId}`);
    print(`stored         ${current}`);
  }
}

async function resend(user: string | undefined): Promise<void> {
  let count = 0;
  try {
    const { returned, unreadable } = await redrive(
      sqsDeadLetters(REDRIVE_HIDES_SECONDS),
      ports.store,
      user,
      (deadLetter) => {
        count++;
        print(`${deadLetter.messageId}  ${deadLetter.userId}  ${transactionIdsOf(deadLetter)}  resent`);
      },
    );
    for (const { userId, message } of unreadable) console.error(printable(`Not resent: user ${userId} ${message}`));
    if (unreadable.length > 0) process.exitCode = 1;
    if (returned > 0) console.log(`Dead-lettered again, or duplicates, and not resent: ${returned}`);
  } finally {
    console.log(`Resent: ${count}`);
  }
}

/** A command's type, amount, currency, and the members that only its type has, as it says itself. */
function commandText(command: Command): string {
  const { type, currency, exponent, amountMinor } = command;
  const amount = amountMinor === undefined || exponent === undefined ? undefined : formatAmount(amountMinor, exponent);
  const own = movementOf(command).ownFields(command);
  const members = Object.keys(own).length > 0 ? JSON.stringify(own) : undefined;
  return [type, amount, currency, members].filter((part) => part !== undefined).join(" ");
}

function transactionIdsOf({ message }: ReceivedDeadLetter): string {
  const ids = commandsIn(message).map(({ id }) => id);
  return ids.length > 0 ? ids.join(" ") : "(no command)";
}

function reasonOf({ reason }: ReceivedDeadLetter): string {
  return reason ?? "failed in every delivery";
}
