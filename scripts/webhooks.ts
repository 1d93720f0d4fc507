import * as z from "zod";
import { sqsDeliverySender } from "../lib/aws/deliveries.ts";
import { dynamoEndpoints } from "../lib/aws/endpoints.ts";
import { countMessages } from "../lib/aws/operatorQueue.ts";
import { sqsWebhookFailures } from "../lib/aws/webhookFailures.ts";
import { peek } from "../lib/ledger/redrive.ts";
import { ENDPOINT_ID } from "../lib/webhooks/endpoint.ts";
import { replay } from "../lib/webhooks/replay.ts";
import { CommandError, command, UsageError } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStageWithWebhooks } from "./target.ts";

const USAGE = `Usage: npm run webhooks -- failed | replay [--endpoint ID]   [--stage STAGE]

Lists the deliveries to webhook endpoints that failed in every attempt, or sends them again: all of them, or those to one endpoint.
Without --stage, it uses the stack of npm start.`;

const LIST_MAX = 100;
/** How long messages stay hidden if a peek is killed before it releases them. */
const PEEK_HIDES_SECONDS = 20;
/** Longer than ten sends can take. */
const REPLAY_HIDES_SECONDS = 300;

const definition = {
  usage: USAGE,
  options: { endpoint: z.string().regex(ENDPOINT_ID, "must be the id of an endpoint").optional(), stage },
  positionals: { action: z.enum(["failed", "replay"], "must be failed or replay") },
};

export default await command(
  definition,
  async ({ action, endpoint, stage }) => {
    if (action === "failed" && endpoint !== undefined) throw new UsageError("failed has no --endpoint");
    await useStageWithWebhooks(stage);
    if (action === "failed") await list();
    else await sendAgain(endpoint);
  },
  import.meta.main,
);

async function list(): Promise<void> {
  const failed = await peek(sqsWebhookFailures(PEEK_HIDES_SECONDS), (seen) => seen.length >= LIST_MAX);
  for (const { sentAt, delivery, attempts, reason } of failed) {
    const { endpointId = "(no delivery)", eventId = "" } = delivery ?? {};
    const of = attempts === undefined ? "moved by SQS" : `${attempts} attempts`;
    // The text of a message must neither start a line nor control the terminal.
    console.log(printable([sentAt.toISOString(), endpointId, eventId, of, reason ?? "reason unknown"].join("  ")));
  }
  const more = (await countMessages("WEBHOOK_FAILURES_QUEUE_URL")) - failed.length;
  console.log(`Failed deliveries: ${failed.length}`);
  if (more > 0) console.log(`About ${more} more.`);
}

async function sendAgain(endpointId: string | undefined): Promise<void> {
  const endpoints = await dynamoEndpoints.list();
  const isKnown = endpointId === undefined || endpoints.some(({ id }) => id === endpointId);
  if (!isKnown) throw new CommandError(`There is no endpoint ${endpointId}`);
  let count = 0;
  try {
    const queue = sqsWebhookFailures(REPLAY_HIDES_SECONDS);
    const notEnabled = await replay(queue, sqsDeliverySender, endpoints, endpointId, (delivery) => {
      count++;
      console.log(printable(`${delivery.endpointId}  ${delivery.eventId}  sent again`));
    });
    if (notEnabled > 0) console.log(`Not sent again, because the endpoint is disabled or deleted: ${notEnabled}`);
  } finally {
    console.log(`Sent again: ${count}`);
  }
}
