import * as z from "zod";
import { ports } from "../lib/aws/adapters.ts";
import { countDeadLetters, type ReceivedDeadLetter, sqsDeadLetters } from "../lib/aws/deadLetters.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { statusOf } from "../lib/domain/transaction.ts";
import { peek, redrive } from "../lib/ledger/redrive.ts";
import { command, Refusal, UsageError } from "./command.ts";
import { printable } from "./printable.ts";
import { aimAtQueues, stage } from "./target.ts";

const USAGE = `Usage: npm run dlq -- list | show ID | redrive [--user USER]   [--stage STAGE]

Lists the dead-letter queue, shows one of its messages by the message's id or the transaction's, or sends the messages, all or
one user's, back to the commands. Without --stage: the queue of npm start.`;

const LIST_MAX = 100;
/** How long messages stay hidden when a peek is killed before it releases them. */
const PEEK_HIDES_SECONDS = 20;
/** Longer than the slowest ten sends. */
const REDRIVE_HIDES_SECONDS = 300;

const definition = {
  usage: USAGE,
  options: { user: z.string().min(1, "must not be empty").optional(), stage },
  positionals: {
    action: z.enum(["list", "show", "redrive"], "must be list, show or redrive"),
    id: z.string().min(1, "must not be empty").optional(),
  },
};

await command(definition, async ({ action, id, user, stage }) => {
  if (action !== "show" && id !== undefined) throw new UsageError(`Superfluous argument '${printable(id)}'`);
  if (action !== "redrive" && user !== undefined) throw new UsageError(`${action} has no --user`);
  if (action === "show" && id === undefined) throw new UsageError("ID is missing");
  await aimAtQueues(stage);
  if (id !== undefined) await show(id);
  else if (action === "list") await list();
  else await sendBack(user);
});

/** Prints a line that has content of messages. */
function print(line: string): void {
  console.log(printable(line));
}

async function list(): Promise<void> {
  const letters = await peek(sqsDeadLetters(PEEK_HIDES_SECONDS), (seen) => seen.length >= LIST_MAX);
  for (const letter of letters) {
    const what = letter.message?.command.id ?? "(no command)";
    print(`${letter.messageId}  ${letter.sentAt.toISOString()}  ${letter.userId}  ${what}  ${whyOf(letter)}`);
  }
  const more = (await countDeadLetters()) - letters.length;
  console.log(`Dead letters: ${letters.length}`);
  if (more > 0) console.log(`About ${more} more: behind the first of their users, or taken by somebody at the moment.`);
}

async function show(id: string): Promise<void> {
  const isMeant = ({ messageId, message }: ReceivedDeadLetter) => messageId === id || message?.command.id === id;
  const letter = (await peek(sqsDeadLetters(PEEK_HIDES_SECONDS), (seen) => seen.some(isMeant))).find(isMeant);
  if (!letter)
    throw new Refusal(`No dead letter ${id} (neither a message's id nor a transaction's, or too far behind)`);
  const { messageId, userId, sentAt, message, body } = letter;
  print(`message      ${messageId}`);
  print(`user         ${userId}`);
  print(`set aside    ${sentAt.toISOString()}`);
  print(`why          ${whyOf(letter)}`);
  if (!message) return print(`body         ${body}`);

  const { command: asked, acceptedAt, requestId } = message;
  const stored = await ports.store.findTransaction(userId, asked.id);
  const known = (await ports.currencies.list()).find(({ code }) => code === asked.currency);
  const amount = known ? formatAmount(asked.amountMinor, known.exponent) : `${asked.amountMinor} minor units of`;
  const now = stored
    ? `${statusOf(stored)} ${stored.type} ${formatAmount(stored.amountMinor, stored.exponent)} ${stored.currency}`
    : "no transaction with this id was accepted";
  print(`transaction  ${asked.id}`);
  print(`command      ${asked.type} ${amount} ${asked.currency}`);
  print(`accepted     ${acceptedAt} by request ${requestId}`);
  print(`stored       ${now}`);
}

async function sendBack(user: string | undefined): Promise<void> {
  let count = 0;
  try {
    const { returned } = await redrive(sqsDeadLetters(REDRIVE_HIDES_SECONDS), ports.store, user, (letter) => {
      count++;
      print(`${letter.messageId}  ${letter.userId}  ${letter.message?.command.id ?? "(no command)"}  sent back`);
    });
    if (returned > 0) console.log(`Dead-lettered again or twice, and left there: ${returned}`);
  } finally {
    console.log(`Sent back: ${count}`);
  }
}

function whyOf({ reason }: ReceivedDeadLetter): string {
  return reason ?? "failed in every delivery";
}
