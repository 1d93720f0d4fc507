import { randomUUID } from "node:crypto";
import type * as z from "zod";
import { defineTool } from "../../../scripts/command.ts";
import type {
  CommandOptions,
  Details,
  PromisedTransaction,
  Submitted,
  Transaction,
  Wallet,
} from "../../client/src/index.ts";
import type { CliCommand } from "./cliCommand.ts";
import { amount, currency, flag, movementOptions, notEmpty, optional, time } from "./options.ts";
import { message } from "./output.ts";
import { call, openWallet } from "./session.ts";
import { printOutcome } from "./transactions.ts";

/** The commands that move money. */

type MovementValues = z.output<z.ZodObject<typeof movementOptions>>;
type Sent = Submitted<Transaction | PromisedTransaction>;

/** Sends a command, and prints the outcome. A new idempotency key is printed before, so that a crash does not lose it. */
async function submit(
  { key = randomUUID(), wait, reference, metadata = [], ...values }: MovementValues,
  send: (wallet: Wallet, command: CommandOptions & Details) => Promise<Sent>,
): Promise<void> {
  const wallet = await openWallet(values);
  message(`Idempotency key: ${key}`);
  const pairs = metadata.map((pair) => pair.split(/=(.*)/s, 2));
  const details = { reference, ...(pairs.length > 0 && { metadata: Object.fromEntries(pairs) }) };
  const transaction = await call(() => send(wallet, { idempotencyKey: key, wait, ...details }));
  if (transaction) printOutcome(transaction, key, values.json);
}

const options = movementOptions;
const OUTCOME = `The command waits for the outcome. Exit code 3: rejected, 4: still pending. To repeat it without moving money twice, add --key with
the key that it printed.`;

const deposit = defineTool(
  {
    usage: `Usage: antler deposit AMOUNT CURRENCY [OPTIONS]

Adds money to a wallet.
${OUTCOME}`,
    options,
    positionals: { amount, currency },
  },
  async ({ amount, currency, ...values }) =>
    submit(values, (wallet, command) => wallet.deposit({ amount, currency, ...command })),
);

const withdraw = defineTool(
  {
    usage: `Usage: antler withdraw AMOUNT CURRENCY [OPTIONS]

Takes money out of a wallet.
${OUTCOME}`,
    options,
    positionals: { amount, currency },
  },
  async ({ amount, currency, ...values }) =>
    submit(values, (wallet, command) => wallet.withdraw({ amount, currency, ...command })),
);

const transfer = defineTool(
  {
    usage: `Usage: antler transfer RECEIVER AMOUNT CURRENCY [OPTIONS]

Sends money to another user, who must have a wallet.
${OUTCOME}`,
    options,
    positionals: { receiver: notEmpty, amount, currency },
  },
  async ({ receiver: to, amount, currency, ...values }) =>
    submit(values, (wallet, command) => wallet.transfer({ to, amount, currency, ...command })),
);

const hold = defineTool(
  {
    usage: `Usage: antler hold AMOUNT CURRENCY [--to USER] [--expires-at TIME] [OPTIONS]

Keeps money back until it is captured, released or expired. With --to it is promised to that user, who alone captures and releases it.
${OUTCOME}`,
    options: {
      to: optional(notEmpty, "USER", "the user to whom the money is promised"),
      "expires-at": optional(time, "TIME", "at most one year ahead; by default in 7 days"),
      ...options,
    },
    positionals: { amount, currency },
  },
  async ({ amount, currency, to, "expires-at": expiresAt, ...values }) =>
    submit(values, (wallet, command) => wallet.hold({ amount, currency, to, expiresAt, ...command })),
);

const ofHold = { hold: notEmpty };
const HOLDER = "Of a hold that is promised to you, --user is the holder.";

const capture = defineTool(
  {
    usage: `Usage: antler capture HOLD [--amount AMOUNT] [--keep-rest] [OPTIONS]

Takes money of a hold: by default all that remains. ${HOLDER}
${OUTCOME}`,
    options: {
      amount: optional(amount, "AMOUNT", "by default all that remains"),
      "keep-rest": flag("leave the rest held; by default it becomes available again"),
      ...options,
    },
    positionals: ofHold,
  },
  async ({ hold, amount, "keep-rest": keepRest, ...values }) =>
    submit(values, (wallet, command) =>
      wallet.capture(hold, { amount, ...(keepRest && { final: false }), ...command }),
    ),
);

const release = defineTool(
  {
    usage: `Usage: antler release HOLD [OPTIONS]

Makes what remains of a hold available again. ${HOLDER}
${OUTCOME}`,
    options,
    positionals: ofHold,
  },
  async ({ hold, ...values }) => submit(values, (wallet, command) => wallet.release(hold, command)),
);

const refund = defineTool(
  {
    usage: `Usage: antler refund TRANSACTION [--amount AMOUNT] [OPTIONS]

Sends a credit back to its sender. For operators: reverses any transaction that can be reversed.
${OUTCOME}`,
    options: { amount: optional(amount, "AMOUNT", "by default all that remains"), ...options },
    positionals: { transaction: notEmpty },
  },
  async ({ transaction, amount, ...values }) =>
    submit(values, (wallet, command) => wallet.reverse(transaction, { amount, ...command })),
);

const exchange = defineTool(
  {
    usage: `Usage: antler exchange SELL_AMOUNT SELL_CURRENCY BUY_AMOUNT BUY_CURRENCY [OPTIONS]

For operators: exchanges an amount of a wallet for an amount of another currency.
${OUTCOME}`,
    options,
    positionals: { sell_amount: amount, sell_currency: currency, buy_amount: amount, buy_currency: currency },
  },
  async ({ sell_amount, sell_currency, buy_amount, buy_currency, ...values }) =>
    submit(values, (wallet, command) =>
      wallet.exchange({
        sell: { amount: sell_amount, currency: sell_currency },
        buy: { amount: buy_amount, currency: buy_currency },
        ...command,
      }),
    ),
);

export const movementCommands: readonly CliCommand[] = [
  { name: "deposit", summary: "add money to a wallet", tool: deposit },
  { name: "withdraw", summary: "take money out of a wallet", tool: withdraw },
  { name: "transfer", summary: "send money to another user", tool: transfer },
  { name: "hold", summary: "keep money back", tool: hold },
  { name: "capture", summary: "take money of a hold", tool: capture },
  { name: "release", summary: "make the money of a hold available again", tool: release },
  { name: "refund", summary: "send a credit back, or reverse a transaction", tool: refund },
  { name: "exchange", summary: "exchange money of a wallet (operators)", tool: exchange },
];
