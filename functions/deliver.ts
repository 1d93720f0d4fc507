import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { sqsDeliveryQueue } from "../lib/aws/deliveries.ts";
import { dynamoEndpoints } from "../lib/aws/endpoints.ts";
import { systemClock } from "../lib/runtime/clock.ts";
import { setting } from "../lib/runtime/config.ts";
import { publishMetrics } from "../lib/runtime/metrics.ts";
import { deliveryTelemetry } from "../lib/runtime/telemetry.ts";
import { deliver } from "../lib/webhooks/deliver.ts";
import { createPost } from "../lib/webhooks/post.ts";

const ports = {
  endpoints: dynamoEndpoints,
  queue: sqsDeliveryQueue,
  post: createPost({ rules: { allowsLoopback: setting("WEBHOOKS_ALLOW_LOOPBACK") === "true" } }),
  clock: systemClock,
  observer: deliveryTelemetry,
};

/** Delivers a batch of the webhooks queue. SQS redelivers the records in the response and deletes the others. */
export const handler = async (event: SQSEvent): Promise<SQSBatchResponse> => {
  const records = event.Records.map(({ messageId, receiptHandle, body, attributes }) => ({
    recordId: messageId,
    receiptHandle,
    body,
    attempt: Number(attributes.ApproximateReceiveCount),
  }));
  try {
    const failed = await deliver(records, ports);
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  } finally {
    publishMetrics();
  }
};
