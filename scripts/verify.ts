import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import * as z from "zod";
import { ports } from "../lib/aws/adapters.ts";
import { dynamoLedgerReader } from "../lib/aws/ledgerReader.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { type Checkpoint, readCheckpoint } from "../lib/ledger/checkpoint.ts";
import { verify } from "../lib/ledger/verify.ts";
import { CommandError, command } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStage } from "./target.ts";

const USAGE = `Usage: npm run verify [-- --checkpoint FILE] [--stage STAGE]

Recomputes every wallet and its hash chain from its history, matches what wallets sent with what others received, and exits with 1 if
there is a discrepancy. With --checkpoint it also checks that each history contains that of the checkpoint, a FILE of npm run
checkpoint. If PUSHGATEWAY_URL is set, it publishes the result to that push gateway. Without --stage, it uses the stack of npm start.`;

const options = { checkpoint: z.string().min(1, "must not be empty").optional(), stage };

export default await command(
  { usage: USAGE, options },
  async (values) => {
    useStage(values.stage);
    const checkpoint = values.checkpoint === undefined ? undefined : await read(values.checkpoint);
    const verification = await verify(dynamoLedgerReader, checkpoint?.heads).catch((error) => {
      throw new CommandError(`The ledger can't be read: ${error instanceof Error ? error.message : String(error)}`);
    });
    const { wallets, posted, rejected, pending, totalsMinor, inTransitMinor, discrepancies } = verification;
    const currencies = await ports.currencies.list();
    console.log(`${wallets} wallets, ${posted} posted, ${rejected} rejected, ${pending} pending`);
    const exponents = new Map(currencies.map(({ code, exponent }) => [code, exponent]));
    for (const line of amountLines(totalsMinor, exponents)) console.log(`  ${line}`);
    for (const line of amountLines(inTransitMinor, exponents)) console.log(`  in transit  ${line}`);
    for (const { userId, code, detail } of discrepancies) console.error(printable(`${code}: user ${userId} ${detail}`));
    const users = new Set(discrepancies.map(({ userId }) => userId)).size;
    console.log(users === 0 ? "Every wallet matches its history." : `Wallets with a discrepancy: ${users}`);
    if (checkpoint) console.log(`Checkpoint of ${checkpoint.createdAt}, root ${checkpoint.root}`);
    process.exitCode = discrepancies.length === 0 ? 0 : 1;
    if (process.env.PUSHGATEWAY_URL) await publish(process.env.PUSHGATEWAY_URL, wallets, discrepancies.length);
  },
  import.meta.main,
);

/** A line for each currency, by code. */
function amountLines(minorByCode: ReadonlyMap<string, bigint>, exponents: ReadonlyMap<string, number>): string[] {
  return [...minorByCode].sort().map(([code, minor]) => {
    const exponent = exponents.get(code);
    const unknown = `${minor} minor units of a currency that is not in the currencies table`;
    return `${printable(code)}  ${exponent === undefined ? unknown : formatAmount(minor, exponent)}`;
  });
}

async function read(file: string): Promise<Checkpoint> {
  try {
    return await readCheckpoint(createInterface({ input: createReadStream(file) }));
  } catch (error) {
    throw new CommandError(`${file} is not a checkpoint: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function publish(gatewayUrl: string, wallets: number, discrepancies: number): Promise<void> {
  const metrics = {
    antler_verify_wallets: wallets,
    antler_verify_discrepancies: discrepancies,
    antler_verify_timestamp_seconds: Math.floor(Date.now() / 1000),
  };
  const body = Object.entries(metrics).map(([name, value]) => `# TYPE ${name} gauge\n${name} ${value}\n`);
  const job = new URL("/metrics/job/verify", gatewayUrl);
  try {
    const response = await fetch(job, { method: "PUT", body: body.join("") });
    if (!response.ok) throw new Error(await response.text());
  } catch (error) {
    console.error(`The push gateway did not accept the result: ${String(error)}`);
  }
}
