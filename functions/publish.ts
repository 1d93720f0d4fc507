import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from "aws-lambda";
import { publishers } from "../lib/aws/publishers.ts";
import { sqsPublishFailures } from "../lib/aws/publishFailures.ts";
import { dynamoStore } from "../lib/aws/store.ts";
import { walletChanges } from "../lib/aws/walletStream.ts";
import { eventOf } from "../lib/http/cloudEvent.ts";
import { publish } from "../lib/ledger/publish.ts";
import { systemClock } from "../lib/runtime/clock.ts";
import { setting } from "../lib/runtime/config.ts";
import { publishMetrics } from "../lib/runtime/metrics.ts";
import { publishTelemetry } from "../lib/runtime/telemetry.ts";

/** Publishes the decisions of a batch of the stream. Lambda delivers the records again from the first one in the response on. */
export const handler = async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
  try {
    const failed = await publish(walletChanges(Records), {
      store: dynamoStore,
      clock: systemClock,
      publishers,
      eventOf: (transaction) => eventOf(transaction, setting("EVENT_SOURCE")),
      failures: sqsPublishFailures,
      observer: publishTelemetry,
    });
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  } finally {
    publishMetrics();
  }
};
