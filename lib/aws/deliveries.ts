import { ChangeMessageVisibilityCommand, SendMessageBatchCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { TransientError } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import type { DeliveryQueue } from "../webhooks/deliver.ts";
import { type Delivery, encodeDelivery } from "../webhooks/delivery.ts";
import type { DeliverySender } from "../webhooks/publish.ts";
import { sqs } from "./clients.ts";

/** What one call to SQS can send. */
const BATCH_MESSAGES_MAX = 10;
const BATCH_BYTES_MAX = 1024 * 1024;

interface Outgoing {
  readonly delivery: Delivery;
  readonly body: string;
}

/** The deliveries queue, for those that add to it. */
export const sqsDeliverySender: DeliverySender = {
  async send(deliveries) {
    const unsent = new Set<Delivery>();
    for (const batch of batchesOf(deliveries)) {
      const { Failed = [] } = await transient("Send deliveries", () =>
        sqs.send(
          new SendMessageBatchCommand({
            QueueUrl: setting("WEBHOOKS_QUEUE_URL"),
            Entries: batch.map(({ delivery, body }, index) => ({
              Id: String(index),
              // In a queue that is not FIFO the group orders nothing: SQS gives each endpoint its share of the deliveries.
              MessageGroupId: delivery.endpointId,
              MessageBody: body,
            })),
          }),
        ),
      );
      for (const { Id } of Failed) {
        const failed = batch[Number(Id)];
        if (failed) unsent.add(failed.delivery);
      }
    }
    return unsent;
  },
};

/** The deliveries queue, for the function that it invokes, and the queue of failed deliveries. */
export const sqsDeliveryQueue: DeliveryQueue = {
  async delay({ receiptHandle }, seconds) {
    const QueueUrl = setting("WEBHOOKS_QUEUE_URL");
    await transient("Delay a delivery", () =>
      sqs.send(
        new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: seconds }),
      ),
    );
  },
  async sendToFailures({ body, attempt }, reason) {
    const attribute = (StringValue: string) => ({ DataType: "String", StringValue });
    await transient("Dead-letter a delivery", () =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl: setting("WEBHOOK_FAILURES_QUEUE_URL"),
          MessageBody: body,
          MessageAttributes: { reason: attribute(reason), attempts: attribute(String(attempt)) },
        }),
      ),
    );
  },
};

function batchesOf(deliveries: readonly Delivery[]): readonly (readonly Outgoing[])[] {
  const batches: Outgoing[][] = [];
  let bytes = 0;
  for (const delivery of deliveries) {
    const body = encodeDelivery(delivery);
    bytes += Buffer.byteLength(body);
    const batch = batches.at(-1);
    if (batch && batch.length < BATCH_MESSAGES_MAX && bytes <= BATCH_BYTES_MAX) batch.push({ delivery, body });
    else {
      batches.push([{ delivery, body }]);
      bytes = Buffer.byteLength(body);
    }
  }
  return batches;
}

/** @throws TransientError on every failure, because each call can be repeated */
async function transient<T>(what: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    throw new TransientError(`${what}: ${String(error)}`, { cause: error });
  }
}
