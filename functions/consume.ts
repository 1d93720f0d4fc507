import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { ports } from "../lib/aws/adapters.ts";
import { consume } from "../lib/ledger/consume.ts";
import { publishMetrics, record } from "../lib/runtime/metrics.ts";
import { consumerTelemetry } from "../lib/runtime/telemetry.ts";

/** The commands queue. Records that it names as failed are delivered again; it deletes the others. */
export const handler = async (event: SQSEvent): Promise<SQSBatchResponse> => {
  const records = event.Records.map(({ messageId, body, attributes }) => ({
    recordId: messageId,
    groupId: attributes.MessageGroupId ?? messageId,
    body,
  }));
  record("DeliverySize", records.length, {});
  try {
    const failed = await consume(records, { ...ports, observer: consumerTelemetry });
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  } finally {
    publishMetrics();
  }
};
