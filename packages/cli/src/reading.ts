import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import * as z from "zod";
import { COMMAND_TYPES } from "../../../lib/domain/command.ts";
import { CommandError, defineTool, UsageError, wholeNumber } from "../../../scripts/command.ts";
import { printable } from "../../../scripts/printable.ts";
import {
  type StatementPage,
  type Transaction,
  type TransactionsQuery,
  verifyHistory,
  type Wallet,
} from "../../client/src/index.ts";
import type { CliCommand } from "./cliCommand.ts";
import { follow } from "./follow.ts";
import { currency, flag, notEmpty, optional, publicOptions, readOptions, time } from "./options.ts";
import { EXIT_FAILURE, message, printItems, printJson, printTable } from "./output.ts";
import { call, openPublicClient, openWallet } from "./session.ts";
import { transactionRow } from "./transactions.ts";

/** The commands that read, and change nothing. */

const PAGE_SIZE = 100;
const HISTORY_LIMIT = 25;

const balances = defineTool(
  {
    usage: `Usage: antler balances [--at TIME] [OPTIONS]

Prints the balances of a wallet, now or at a past moment.`,
    options: { at: optional(time, "TIME", "the moment, such as 2026-11-23T09:30:00Z; by default now"), ...readOptions },
  },
  async ({ at, json, ...values }) => {
    const wallet = await openWallet(values);
    const answer = await call(() => wallet.balances({ at }));
    if (!answer) return;
    if (json) return printJson(answer);
    const rows = answer.balances.map(({ currency, amount, held, available }) => ({
      currency,
      available,
      held,
      balance: amount,
    }));
    printTable(rows, "No currency is enabled");
    if (answer.status !== "active") message(`The wallet is ${answer.status}`, "yellow");
    if (answer.provisional) message("Provisional: a decision in progress can still change this", "yellow");
  },
);

const decidedStatus = z.enum(["posted", "rejected"], "must be posted or rejected");
const type = z.enum(COMMAND_TYPES, `must be one of ${COMMAND_TYPES.join(", ")}`);

const history = defineTool(
  {
    usage: `Usage: antler history [--follow] [OPTIONS]

Prints the decided transactions of a wallet, newest first; with --follow, those that are decided from now on, until Ctrl-C.`,
    options: {
      follow: flag("print decisions as they are made"),
      limit: optional(wholeNumber(1), "N", `print at most N transactions; by default ${HISTORY_LIMIT}`),
      all: flag("print all of them"),
      type: optional(type, "TYPE", "only this type"),
      status: optional(decidedStatus, "STATUS", "only posted or rejected ones"),
      currency: optional(currency, "CURRENCY", "only this currency"),
      from: optional(time, "TIME", "only decisions of this time or later"),
      to: optional(time, "TIME", "only decisions before this time"),
      ...readOptions,
    },
  },
  async ({ follow: isFollowing, limit, all, type, status, currency, from, to, json, ...values }) => {
    const isPast = limit !== undefined || all || from !== undefined || to !== undefined;
    if (isFollowing && isPast) throw new UsageError("--follow excludes --limit, --all, --from and --to");
    const wallet = await openWallet(values);
    const filters = { type, status, currency };
    if (isFollowing) return void (await call(() => printDecisions(wallet, filters, json)));
    const most = limit ?? (all ? Number.POSITIVE_INFINITY : HISTORY_LIMIT);
    const query = { ...filters, from, to, limit: Math.min(most, PAGE_SIZE) };
    await call(() => printItems(first(most, wallet.transactions(query)), json, transactionRow, "No transactions"));
  },
);

type Filters = Pick<TransactionsQuery, "type" | "status" | "currency">;

/** Prints decisions as they are made, each in one line. */
async function printDecisions(wallet: Wallet, filters: Filters, json: true | undefined): Promise<void> {
  for await (const transaction of follow(wallet)) {
    if (!matches(transaction, filters)) continue;
    if (json) printJson(transaction);
    else console.log(printable(Object.values(transactionRow(transaction)).filter(Boolean).join("  ")));
  }
}

/** As the API filters. */
function matches(transaction: Transaction, { type, status, currency }: Filters): boolean {
  const bought = transaction.type === "exchange" ? [transaction.buy] : [];
  return (
    (type === undefined || transaction.type === type) &&
    (status === undefined || transaction.status === status) &&
    (currency === undefined || [transaction, ...bought, ...transaction.postings].some((of) => of.currency === currency))
  );
}

async function* first<Item>(count: number, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  let left = count;
  for await (const item of items) {
    yield item;
    if (--left === 0) return;
  }
}

const holds = defineTool(
  {
    usage: `Usage: antler holds [OPTIONS]

Prints the open holds of a wallet, newest first.`,
    options: readOptions,
  },
  async ({ json, ...values }) => {
    const wallet = await openWallet(values);
    await call(() =>
      printItems(
        wallet.holds({ limit: PAGE_SIZE }),
        json,
        ({ id, currency, hold }) => ({
          remaining: `${hold.remaining} ${currency}`,
          to: hold.to ?? "",
          expires: hold.expiresAt,
          id,
        }),
        "No open holds",
      ),
    );
  },
);

const statement = defineTool(
  {
    usage: `Usage: antler statement --currency CURRENCY [--from TIME] [--to TIME] [--csv] [OPTIONS]

Prints the credits and debits of a currency, oldest first, with the balance after each.`,
    options: {
      currency: currency.meta({ value: "CURRENCY", description: "the currency" }),
      from: optional(time, "TIME", "start of the period, included; by default the first decision"),
      to: optional(time, "TIME", "end of the period, excluded; by default now"),
      csv: flag("print a CSV file"),
      ...readOptions,
    },
  },
  async ({ currency, from, to, csv, json, ...values }) => {
    if (csv && json) throw new UsageError("--csv and --json exclude each other");
    const wallet = await openWallet(values);
    const query = { currency, from, to, limit: PAGE_SIZE };
    await call(async () => {
      if (csv) for await (const part of wallet.statementCsv(query)) writeCsv(part);
      else await printStatement(wallet.statement(query).pages(), json);
    });
  },
);

/** Prints a part of a CSV file as it is, and in a terminal without what could control it. */
function writeCsv(part: string): void {
  process.stdout.write(process.stdout.isTTY ? part.replace(/[^ -~\r\n]/gu, printable) : part);
}

/** Prints the lines, and for people the opening and the closing balance too. */
async function printStatement(pages: AsyncIterable<StatementPage>, json: true | undefined): Promise<void> {
  let opening: string | undefined;
  let closing = "";
  const rows: Record<string, string>[] = [];
  for await (const page of pages) {
    opening ??= page.opening;
    closing = page.closing;
    for (const line of page.lines) {
      if (json) printJson(line);
      else {
        const { decidedAt, type, credit, debit, balance, reference } = line;
        rows.push({
          time: decidedAt,
          type,
          credit: credit ?? "",
          debit: debit ?? "",
          balance,
          reference: reference ?? "",
        });
      }
    }
  }
  if (json) return;
  printTable(rows, "No credits and debits");
  console.log(`Opening ${opening}, closing ${closing}`);
}

const currencies = defineTool(
  {
    usage: `Usage: antler currencies [OPTIONS]

Prints the enabled currencies. Needs no login.`,
    options: publicOptions,
  },
  async ({ json, ...values }) => {
    const client = await openPublicClient(values);
    const list = await call(() => client.currencies());
    if (!list) return;
    if (json) for (const each of list) printJson(each);
    else
      printTable(
        list.map(({ code, name, exponent }) => ({ code, name, decimals: String(exponent) })),
        "No currency is enabled",
      );
  },
);

const verifyHistoryTool = defineTool(
  {
    usage: `Usage: antler verify-history FILE [--head HASH] [--json]

Verifies the hash chain of a wallet offline. FILE has its whole history: what antler history --all --json prints, or the API's JSON.
With - it is read from stdin. Exits with 1 if a decision is wrong.`,
    options: {
      head: optional(
        notEmpty,
        "HASH",
        "the hash that the last decision must have, which you kept or another reader told you",
      ),
      json: flag("print JSON"),
    },
    positionals: { file: notEmpty },
  },
  async ({ file, head, json }) => {
    const content = file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
    const result = await verifyHistory(transactionsIn(file, content));
    const isHead = head === undefined || (result.isValid && result.head === head);
    if (!result.isValid || !isHead) process.exitCode = EXIT_FAILURE;
    if (json) return printJson({ ...result, ...(head !== undefined && { isHead }) });
    if (!result.isValid) return message(`${result.code} at sequence ${result.sequence}: ${result.detail}`, "red");
    if (!isHead) return message(`The last decision has the hash ${result.head}, not ${head}`, "red");
    console.log(`OK: ${result.decisions} decisions, head ${result.head}`);
  },
);

const pageSchema = z.object({ data: z.array(z.unknown()) }).transform(({ data }) => data);
const fileSchema = z.union([z.array(z.unknown()), pageSchema]);

/** @throws CommandError if the text is no JSON */
function transactionsIn(file: string, content: string): readonly unknown[] {
  try {
    const whole = fileSchema.safeParse(JSON.parse(content));
    if (whole.success) return whole.data;
  } catch {
    // One item in each line.
  }
  try {
    const lines = content.split("\n").filter((line) => line.trim() !== "");
    return lines.map((line): unknown => JSON.parse(line));
  } catch {
    throw new CommandError(`${file} is not JSON`);
  }
}

export const readingCommands: readonly CliCommand[] = [
  { name: "balances", summary: "print the balances of a wallet", tool: balances },
  { name: "history", summary: "print the transactions of a wallet", tool: history },
  { name: "holds", summary: "print the open holds of a wallet", tool: holds },
  { name: "statement", summary: "print a statement, also as CSV", tool: statement },
  { name: "currencies", summary: "print the enabled currencies", tool: currencies },
  { name: "verify-history", summary: "verify the hash chain of a history in a file", tool: verifyHistoryTool },
];
