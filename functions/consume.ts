import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { ports } from "../lib/aws/adapters.ts";
import { consume } from "../lib/ledger/consume.ts";
import { publishMetrics, record } from "../lib/runtime/metrics.ts";
import { consumerTelemetry } from "../lib/runtime/telemetry.ts";

/** Processes a batch of the commands queue. SQS redelivers the records in the response and deletes the others. */
export const handler = async (event: SQSEvent): Promise<SQSBatchResponse> => {
  const records = event.Records.map(({ messageId, body, attributes }) => ({
    recordId: messageId,
    groupId: attributes.MessageGroupId ?? messageId,
    body,
    isRedelivered: attributes.ApproximateReceiveCount !== "1",
  }));
  record("BatchRecords", records.length, {});
  try {
    const failed = await consume(records, { ...ports, observer: consumerTelemetry });
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  } finally {
    publishMetrics();
  }
};
