import { parseArgs } from "node:util";
import { countDeadLetters, type ReceivedDeadLetter, sqsDeadLetters } from "../lib/aws/deadLetters.ts";
import { ports } from "../lib/aws/ports.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { statusOf } from "../lib/domain/transaction.ts";
import { peek, redrive } from "../lib/ledger/redrive.ts";
import { command, Refusal } from "./command.ts";
import { aimAtQueues } from "./target.ts";

/** `npm run dlq -- list | show ID | redrive [--user USER]`, each with `--stage STAGE` for a deployed one. */
const USAGE = "Usage: npm run dlq -- list | show ID | redrive [--user USER]   [--stage STAGE]";

const LIST_MAX = 100;
/** How long messages stay hidden when a peek is killed before it releases them. */
const PEEK_HIDES_SECONDS = 20;
/** Longer than the slowest ten sends. */
const REDRIVE_HIDES_SECONDS = 300;

await command(USAGE, async () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { user: { type: "string" }, stage: { type: "string", default: "local" } },
  });
  const [action, ...args] = positionals;
  const [id] = args;
  const { user, stage } = values;
  const aim = () => aimAtQueues(stage);
  if (action === "list" && args.length === 0 && user === undefined) return aim().then(list);
  if (action === "show" && id && args.length === 1 && user === undefined) return aim().then(() => show(id));
  if (action === "redrive" && args.length === 0 && user !== "") return aim().then(() => sendBack(user));
  throw new Refusal(USAGE);
});

async function list(): Promise<void> {
  const letters = await peek(sqsDeadLetters(PEEK_HIDES_SECONDS), (seen) => seen.length >= LIST_MAX);
  for (const letter of letters) {
    const what = letter.message?.command.id ?? "(no command)";
    console.log(`${letter.messageId}  ${letter.sentAt.toISOString()}  ${letter.userId}  ${what}  ${whyOf(letter)}`);
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
  console.log(`message      ${messageId}`);
  console.log(`user         ${userId}`);
  console.log(`set aside    ${sentAt.toISOString()}`);
  console.log(`why          ${whyOf(letter)}`);
  if (!message) return console.log(`body         ${body}`);

  const { command: asked, acceptedAt, requestId } = message;
  const stored = await ports.store.findTransaction(userId, asked.id);
  const known = (await ports.currencies.list()).find(({ code }) => code === asked.currency);
  const amount = known ? formatAmount(asked.amountMinor, known.exponent) : `${asked.amountMinor} minor units of`;
  const now = stored
    ? `${statusOf(stored)} ${stored.type} ${formatAmount(stored.amountMinor, stored.exponent)} ${stored.currency}`
    : "no transaction with this id was accepted";
  console.log(`transaction  ${asked.id}`);
  console.log(`command      ${asked.type} ${amount} ${asked.currency}`);
  console.log(`accepted     ${acceptedAt} by request ${requestId}`);
  console.log(`stored       ${now}`);
}

async function sendBack(user: string | undefined): Promise<void> {
  let count = 0;
  try {
    const { returned } = await redrive(sqsDeadLetters(REDRIVE_HIDES_SECONDS), ports.store, user, (letter) => {
      count++;
      console.log(`${letter.messageId}  ${letter.userId}  ${letter.message?.command.id ?? "(no command)"}  sent back`);
    });
    if (returned > 0) console.log(`Dead-lettered again or twice, and left there: ${returned}`);
  } finally {
    console.log(`Sent back: ${count}`);
  }
}

function whyOf({ reason }: ReceivedDeadLetter): string {
  return reason ?? "failed in every delivery";
}
