import { CloudWatchClient, GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import * as z from "zod";
import { ports } from "../lib/aws/adapters.ts";
import { dynamoDueIndex } from "../lib/aws/dueIndex.ts";
import { countMessages } from "../lib/aws/operatorQueue.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { chunksOf } from "../lib/ledger/chunksOf.ts";
import type { TransactionKey } from "../lib/ledger/ports.ts";
import { setting } from "../lib/runtime/config.ts";
import { readQueueStats } from "../localstack/queueStats.ts";
import { readCredentials } from "../packages/cli/src/credentials.ts";
import { apiUrlOf } from "../packages/cli/src/session.ts";
import { AntlerError, createClient } from "../packages/client/src/index.ts";
import { CommandError, command } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStageWithQueues } from "./target.ts";

const USAGE = `Usage: npm run status [-- --stage STAGE] [--api-url URL] [--json]

Prints whether the API is healthy, how many messages the commands queue has and how old the oldest is, the money in transit, the open
holds, and the dead-letter messages. Exits with 1 if the API is not healthy. Without --stage, it uses the stack of npm start; the API
of another stage is that of antler login, or --api-url.`;

const READ_AT_ONCE = 100;
/** Later than all that is due. */
const END_OF_TIME = "9999-12-31T23:59:59.999Z";
/** CloudWatch gets the metrics of SQS every minute, some minutes late. */
const METRIC_MINUTES = 10;

const definition = {
  usage: USAGE,
  options: {
    "api-url": z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).optional(),
    json: z.literal(true, "has no value").optional(),
    stage,
  },
};

/** Amounts by currency, and of how many transactions they are. */
interface Sum {
  readonly count: number;
  readonly amounts: Readonly<Record<string, string>>;
}

class Total {
  #count = 0;
  readonly #amounts = new Map<string, { exponent: number; amountMinor: bigint }>();

  add(currency: string, exponent: number, amountMinor: bigint): void {
    this.#count++;
    const before = this.#amounts.get(currency)?.amountMinor ?? 0n;
    this.#amounts.set(currency, { exponent, amountMinor: before + amountMinor });
  }

  sum(): Sum {
    const texts = [...this.#amounts].map(([currency, { exponent, amountMinor }]) => [
      currency,
      formatAmount(amountMinor, exponent),
    ]);
    return { count: this.#count, amounts: Object.fromEntries(texts) };
  }
}

export default await command(
  definition,
  async ({ "api-url": apiUrl, json, stage }) => {
    await useStageWithQueues(stage);
    const [health, queued, oldestSeconds, dueSums, deadLetters] = await Promise.all([
      readHealth(stage, apiUrl),
      countMessages("COMMANDS_QUEUE_URL"),
      readOldestSeconds(stage),
      sumDue(),
      countMessages("DEAD_LETTER_QUEUE_URL"),
    ]);
    process.exitCode = health === "ok" ? 0 : 1;
    const { inTransit, openHolds } = dueSums;
    if (json) {
      console.log(JSON.stringify({ stage, health, queued, oldestSeconds, inTransit, openHolds, deadLetters }));
      return;
    }
    const lines = {
      stage,
      health,
      "commands queue": `${queued} messages`,
      "oldest message": oldestSeconds === null ? "unknown" : `${Math.round(oldestSeconds)} s`,
      "in transit": textOf(inTransit, "credits"),
      "open holds": textOf(openHolds, "holds"),
      "dead letters": `${deadLetters} messages`,
    };
    for (const [name, value] of Object.entries(lines)) console.log(printable(`${name.padEnd(14)}  ${value}`));
  },
  import.meta.main,
);

/** @returns `ok`, or why the API is not healthy or can't be asked */
async function readHealth(stage: string, given: string | undefined): Promise<string> {
  try {
    const apiUrl = apiUrlOf({ stage, "api-url": given }, await readCredentials());
    return (await createClient({ apiUrl }).health()).status;
  } catch (error) {
    if (error instanceof AntlerError || error instanceof CommandError) return error.message;
    throw error;
  }
}

/** The age of the oldest command in the queue; null if it is unknown. */
async function readOldestSeconds(stage: string): Promise<number | null> {
  if (stage === "local") return (await readQueueStats(setting("COMMANDS_QUEUE_URL"))).oldestAgeSeconds ?? null;
  const cloudWatch = new CloudWatchClient({});
  try {
    const { Datapoints = [] } = await cloudWatch.send(
      new GetMetricStatisticsCommand({
        Namespace: "AWS/SQS",
        MetricName: "ApproximateAgeOfOldestMessage",
        Dimensions: [{ Name: "QueueName", Value: `antler-${stage}-commands.fifo` }],
        StartTime: new Date(Date.now() - METRIC_MINUTES * 60_000),
        EndTime: new Date(),
        Period: 60,
        Statistics: ["Maximum"],
      }),
    );
    const [newest] = Datapoints.sort((a, b) => Number(b.Timestamp) - Number(a.Timestamp));
    return newest?.Maximum ?? null;
  } catch (error) {
    console.error(printable(`CloudWatch does not answer: ${String(error)}`));
    return null;
  } finally {
    cloudWatch.destroy();
  }
}

/** The undecided credits and the open holds, which the index `due` lists. */
async function sumDue(): Promise<{ readonly inTransit: Sum; readonly openHolds: Sum }> {
  const keys: TransactionKey[] = [];
  for await (const key of dynamoDueIndex.dueBefore(END_OF_TIME)) keys.push(key);
  const [credits, holds] = [new Total(), new Total()];
  for (const chunk of chunksOf(keys, READ_AT_ONCE)) {
    for (const { type, currency, exponent, amountMinor, decision, remainder } of await ports.store.findTransactions(
      chunk,
    )) {
      if (type === "credit" && !decision) credits.add(currency, exponent, amountMinor);
      if (type === "hold" && remainder?.holdStatus === "open") holds.add(currency, exponent, remainder.remainingMinor);
    }
  }
  return { inTransit: credits.sum(), openHolds: holds.sum() };
}

function textOf({ count, amounts }: Sum, what: string): string {
  const texts = Object.entries(amounts).map(([currency, amount]) => `${amount} ${currency}`);
  return [`${count} ${what}`, ...texts].join(", ");
}
