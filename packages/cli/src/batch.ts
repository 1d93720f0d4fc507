import { hash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import * as z from "zod";
import { CommandError, defineTool } from "../../../scripts/command.ts";
import { AntlerError, type BatchCommand, type BatchResult, type Client } from "../../client/src/index.ts";
import type { CliCommand } from "./cliCommand.ts";
import { amount, currency, notEmpty, optional, publicOptions, time, waitOption } from "./options.ts";
import { EXIT_FAILURE, EXIT_PENDING, EXIT_REJECTED, printJson } from "./output.ts";
import { call, openClient } from "./session.ts";
import { transferStatusOf } from "./transactions.ts";

/** Commands in a request. */
const BATCH_MAX = 100;
const ROWS_MAX = 100_000;
/** Transactions that are read at the same time, while their outcome is awaited. */
const READS_AT_ONCE = 10;
const PROGRESS_WIDTH = 30;

const moneyCells = { currency, amount };
const refersTo = notEmpty;
const cells = {
  userId: notEmpty,
  idempotencyKey: notEmpty,
  reference: notEmpty.optional(),
  metadata: z.record(z.string(), z.string()).optional(),
};
const final = z
  .enum(["true", "false"], "must be true or false")
  .transform((text) => text === "true")
  .optional();

/** A command of each type, as the cells of a row that are not empty. */
const rowSchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.enum(["deposit", "withdrawal"]), ...moneyCells, ...cells }),
    z.strictObject({ type: z.literal("transfer"), to: notEmpty, ...moneyCells, ...cells }),
    z.strictObject({
      type: z.literal("hold"),
      to: notEmpty.optional(),
      expiresAt: time.optional(),
      ...moneyCells,
      ...cells,
    }),
    z.strictObject({ type: z.literal("capture"), refersTo, amount: amount.optional(), final, ...cells }),
    z.strictObject({ type: z.literal("release"), refersTo, ...cells }),
    z.strictObject({ type: z.literal("reversal"), refersTo, amount: amount.optional(), ...cells }),
    z
      .strictObject({ type: z.literal("exchange"), ...moneyCells, buyCurrency: currency, buyAmount: amount, ...cells })
      .transform(({ currency, amount, buyCurrency, buyAmount, ...others }) => ({
        ...others,
        sell: { currency, amount },
        buy: { currency: buyCurrency, amount: buyAmount },
      })),
    z.strictObject({
      type: z.literal("status_change"),
      status: z.enum(["active", "frozen", "closed"], "must be active, frozen or closed"),
      ...cells,
    }),
  ],
  "must be the type of a command, such as deposit",
);

interface Row {
  /** From 1, without the header. */
  readonly number: number;
  readonly command: BatchCommand;
}

const resultSchema = z.object({
  row: z.coerce.number(),
  idempotencyKey: z.string(),
  outcome: z.enum(["posted", "rejected", "returned", "pending", "refused"]),
  transactionId: z.string(),
  detail: z.string(),
});

type Result = z.output<typeof resultSchema>;
type Outcome = Result["outcome"];

const RESULT_COLUMNS = Object.keys(resultSchema.shape);
/** A second run sends the rows with the others again. */
const FINAL: ReadonlySet<Outcome> = new Set(["posted", "rejected", "returned"]);

const batch = defineTool(
  {
    usage: `Usage: antler batch FILE.csv [--results FILE] [--wait SECONDS] [OPTIONS]

For operators: sends the commands of a CSV file, up to 100 in a request, and waits for their outcomes. The header names the columns:

  type             deposit, withdrawal, transfer, hold, capture, release, reversal, exchange or status_change
  userId           the wallet's user
  currency, amount; to; refersTo (the id of a hold or an original); expiresAt; final; buyCurrency, buyAmount; status
  reference, metadata.NAME
  idempotencyKey   without this column, the key is derived from the content of the whole file and the number of the row

The outcome of each row is written to the results, by default FILE.csv.results.csv: posted, rejected, returned, pending or refused. A
second run sends only the rows that are missing, pending or refused, with the same keys, so no money moves twice. If you change a file
without the column idempotencyKey, all keys change: the run then refuses the old results. Exit code 1: a row was refused, 4: one is
pending, 3: one was rejected or returned.`,
    options: {
      results: optional(notEmpty, "FILE", "where the outcomes are written"),
      wait: waitOption("how long to wait for the outcomes of a request"),
      ...publicOptions,
    },
    positionals: { file: notEmpty },
  },
  async ({ file, results: resultsFile = `${file}.results.csv`, wait, json, ...values }) => {
    const rows = await rowsIn(file, await readFile(file, "utf8"));
    const { stringify } = await import("csv-stringify/sync");
    const { earlier, results } = await readResults(resultsFile, file, rows);
    const isDone = ({ number }: Row) => FINAL.has(results.get(number)?.outcome ?? "pending");
    const open = rows.filter((row) => !isDone(row));
    const client = await openClient(values);
    for (let start = 0; start < open.length; start += BATCH_MAX) {
      const chunk = open.slice(start, start + BATCH_MAX);
      const sent = await call(() => send(client, chunk, wait));
      if (!sent) continue;
      if (start === 0) await writeFile(resultsFile, earlier);
      await appendFile(resultsFile, stringify(sent, { columns: RESULT_COLUMNS }));
      for (const result of sent) results.set(result.row, result);
      showProgress(rows.filter(isDone).length, rows.length);
    }
    if (values["dry-run"]) return;
    if (process.stderr.isTTY) process.stderr.write("\n");
    summarize([...results.values()], resultsFile, json);
  },
);

/** @throws CommandError about the first row that is no command */
async function rowsIn(file: string, content: string): Promise<Row[]> {
  // Only this command loads it.
  const { parse } = await import("csv-parse/sync");
  let records: Record<string, string>[];
  try {
    records = parse(content, { columns: true, bom: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    throw new CommandError(`${file} is not a CSV file: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (records.length > ROWS_MAX) throw new CommandError(`${file} has more than ${ROWS_MAX} rows`);
  const prefix = `csv-${hash("sha256", content).slice(0, 32)}`;
  return records.map((record, index) => {
    const number = index + 1;
    const given = Object.entries(record).filter(([, cell]) => cell !== "");
    const isMetadata = ([name]: readonly [string, string]) => name.startsWith("metadata.");
    const metadata = given.filter(isMetadata).map(([name, cell]) => [name.slice("metadata.".length), cell]);
    const parsed = rowSchema.safeParse({
      ...(!("idempotencyKey" in record) && { idempotencyKey: `${prefix}-${number}` }),
      ...(metadata.length > 0 && { metadata: Object.fromEntries(metadata) }),
      ...Object.fromEntries(given.filter((entry) => !isMetadata(entry))),
    });
    if (parsed.success) return { number, command: parsed.data };
    const [issue] = parsed.error.issues;
    const what = [issue?.path.join("."), issue?.message].filter(Boolean).join(": ");
    throw new CommandError(`${file}, row ${number}: ${what}`);
  });
}

/**
 * Reads what an earlier run has written, without a line that it did not finish.
 *
 * @throws CommandError if the file is of other rows
 */
async function readResults(resultsFile: string, file: string, rows: readonly Row[]) {
  const content = existsSync(resultsFile) ? await readFile(resultsFile, "utf8") : "";
  const complete = content.slice(0, content.lastIndexOf("\n") + 1);
  const { parse } = await import("csv-parse/sync");
  const parsed = z.array(resultSchema).safeParse(parse(complete, { columns: true }));
  if (!parsed.success)
    throw new CommandError(`${resultsFile} is not a file of antler batch. Give another one with --results`);
  const keys = new Map(rows.map(({ number, command }) => [number, command.idempotencyKey]));
  const other = parsed.data.find(({ row, idempotencyKey }) => keys.get(row) !== idempotencyKey);
  if (other) {
    throw new CommandError(
      `${resultsFile} is of another content of ${file}: row ${other.row} had another key. Give another one with --results`,
    );
  }
  return {
    earlier: complete || `${RESULT_COLUMNS.join()}\n`,
    results: new Map(parsed.data.map((result) => [result.row, result])),
  };
}

/** Sends commands, and waits for the outcomes of those that the API accepts. */
async function send(client: Client, rows: readonly Row[], waitSeconds: number): Promise<Result[]> {
  const answers = await client.batch(rows.map(({ command }) => command));
  const endMs = Date.now() + waitSeconds * 1000;
  const results: Result[] = [];
  for (let start = 0; start < rows.length; start += READS_AT_ONCE) {
    const some = rows.slice(start, start + READS_AT_ONCE);
    results.push(
      ...(await Promise.all(some.map((row, index) => resultOf(client, row, answers[start + index], endMs)))),
    );
  }
  return results;
}

async function resultOf(
  client: Client,
  { number: row, command }: Row,
  answer: BatchResult | undefined,
  endMs: number,
): Promise<Result> {
  const { idempotencyKey, userId } = command;
  const result = (outcome: Outcome, transactionId: string, detail = "") => ({
    row,
    idempotencyKey,
    outcome,
    transactionId,
    detail: detail.replace(/\s+/g, " "),
  });
  if (!answer || !("transaction" in answer)) {
    return result("refused", "", answer && `${answer.problem.code}: ${answer.problem.detail}`);
  }
  const { id } = answer.transaction;
  try {
    const timeoutSeconds = Math.max(0, (endMs - Date.now()) / 1000);
    const transaction = await client.wallet(userId).settled(id, { timeoutSeconds });
    const { status, rejection } = transaction;
    if (status === "rejected") return result(status, id, `${rejection?.code}: ${rejection?.detail}`);
    return result(transferStatusOf(transaction) === "returned" ? "returned" : status, id);
  } catch (error) {
    // It is accepted: the next run reads its outcome.
    if (error instanceof AntlerError) return result("pending", id, error.message);
    throw error;
  }
}

function showProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  const filled = "#".repeat(Math.floor((done / all) * PROGRESS_WIDTH));
  process.stderr.write(`\r[${filled.padEnd(PROGRESS_WIDTH)}] ${done} of ${all}`);
}

function summarize(results: readonly Result[], resultsFile: string, json: true | undefined): void {
  const counts = Map.groupBy(results, ({ outcome }) => outcome);
  const numberOf = (outcome: Outcome) => counts.get(outcome)?.length ?? 0;
  const outcomes = resultSchema.shape.outcome.options.map((outcome): [Outcome, number] => [outcome, numberOf(outcome)]);
  if (json) printJson({ ...Object.fromEntries(outcomes), results: resultsFile });
  else console.log(`${outcomes.map(([outcome, count]) => `${count} ${outcome}`).join(", ")}. Results: ${resultsFile}`);
  if (numberOf("refused") > 0) process.exitCode = EXIT_FAILURE;
  else if (numberOf("pending") > 0) process.exitCode = EXIT_PENDING;
  else if (numberOf("rejected") + numberOf("returned") > 0) process.exitCode = EXIT_REJECTED;
}

export const batchCommand: CliCommand = {
  name: "batch",
  summary: "send the commands of a CSV file (operators)",
  tool: batch,
};
