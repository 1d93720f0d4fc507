import type { Message } from "@aws-sdk/client-sqs";
import { decodeDelivery } from "../webhooks/delivery.ts";
import type { FailedDelivery, FailedDeliveryQueue } from "../webhooks/replay.ts";
import { operatorQueue } from "./operatorQueue.ts";

export interface ReceivedFailure extends FailedDelivery {
  readonly receiptHandle: string;
}

/**
 * The queue of failed deliveries.
 *
 * @param hiddenSeconds how long a received message stays hidden if this process dies
 */
export function sqsWebhookFailures(hiddenSeconds: number): FailedDeliveryQueue<ReceivedFailure> {
  const { receive, release, remove } = operatorQueue("WEBHOOK_FAILURES_QUEUE_URL", hiddenSeconds);
  return { receive: async () => (await receive()).map(toFailure), release, remove };
}

function toFailure({ ReceiptHandle = "", Body = "", Attributes, MessageAttributes }: Message): ReceivedFailure {
  return {
    receiptHandle: ReceiptHandle,
    delivery: decodeDelivery(Body),
    reason: MessageAttributes?.reason?.StringValue,
    attempts: MessageAttributes?.attempts?.StringValue,
    sentAt: new Date(Number(Attributes?.SentTimestamp)),
  };
}
