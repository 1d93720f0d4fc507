import { hash } from "node:crypto";
import { PublishBatchCommand, type PublishBatchRequestEntry } from "@aws-sdk/client-sns";
import type { EventPublisher, LedgerEvent } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { withTransientErrors } from "./errors.ts";
import { sns } from "./sns.ts";

/** SNS takes 256 KiB a request. */
const REQUEST_BYTES_MAX = 256 * 1024;
/** More than the attributes and ids of an event take. */
const ATTRIBUTES_BYTES = 1024;

/** The SNS FIFO topic, with one message group per user. */
export const snsTopic: EventPublisher = { publish };

async function publish(events: readonly LedgerEvent[]): Promise<ReadonlySet<string>> {
  const failed = new Set<string>();
  for (const request of requestsOf(events)) {
    for (const id of await publishBatch(request)) failed.add(id);
  }
  return failed;
}

/** @throws TransientError */
async function publishBatch(events: readonly LedgerEvent[]): Promise<string[]> {
  const { Failed = [] } = await withTransientErrors("Publish events", () =>
    sns.send(
      new PublishBatchCommand({
        TopicArn: setting("EVENTS_TOPIC_ARN"),
        PublishBatchRequestEntries: events.map(entryOf),
      }),
    ),
  );
  return Failed.flatMap(({ Id }) => events[Number(Id)]?.id ?? []);
}

function entryOf({ id, userId, attributes, body }: LedgerEvent, index: number): PublishBatchRequestEntry {
  const values = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return {
    Id: String(index),
    Message: body,
    MessageGroupId: userId,
    MessageDeduplicationId: hash("sha256", id),
    MessageAttributes: Object.fromEntries(
      values.map(([name, value]) => [name, { DataType: "String", StringValue: value }]),
    ),
  };
}

/** As few requests as the limit of bytes admits. */
function requestsOf(events: readonly LedgerEvent[]): LedgerEvent[][] {
  const requests: LedgerEvent[][] = [];
  let bytesLeft = 0;
  for (const event of events) {
    const bytes = Buffer.byteLength(event.body) + ATTRIBUTES_BYTES;
    const current = requests.at(-1);
    if (current && bytes <= bytesLeft) current.push(event);
    else requests.push([event]);
    bytesLeft = (current && bytes <= bytesLeft ? bytesLeft : REQUEST_BYTES_MAX) - bytes;
  }
  return requests;
}
