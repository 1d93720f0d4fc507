import { DynamoDBStreamsClient, GetRecordsCommand, GetShardIteratorCommand } from "@aws-sdk/client-dynamodb-streams";
import type { Message } from "@aws-sdk/client-sqs";
import * as z from "zod/mini";
import type { UnreadableChange, WalletChange } from "../ledger/publish.ts";
import type { PublishFailure, PublishFailureQueue } from "../ledger/republish.ts";
import { operatorQueue } from "./operatorQueue.ts";
import { sdkHandlerOptions } from "./transport/httpHandler.ts";
import { walletChanges } from "./walletStream.ts";

/** How long messages stay hidden if the command is killed. Longer than ten batches can take. */
const HIDDEN_SECONDS = 300;

/** A separate client: an operator's tool can wait longer than a function. */
const streams = new DynamoDBStreamsClient({
  maxAttempts: 4,
  requestHandler: sdkHandlerOptions({ connectMs: 2000, requestMs: 10_000 }),
});
const queue = operatorQueue("PUBLISH_FAILURES_QUEUE_URL", HIDDEN_SECONDS);

/** What Lambda sends about a batch of a stream that it gives up. */
const streamBatch = z.object({
  shardId: z.string(),
  startSequenceNumber: z.string(),
  endSequenceNumber: z.string(),
  approximateArrivalOfFirstRecord: z.optional(z.string()),
  streamArn: z.string(),
});
type StreamBatch = z.output<typeof streamBatch>;

const body = z.union([
  z.object({ requestContext: z.object({ condition: z.string() }), DDBStreamBatchInfo: streamBatch }),
  z.pipe(
    z.object({ userId: z.string(), from: z.optional(z.number()), problem: z.string() }),
    z.transform(({ userId, from, problem }) => ({ userId, from, problem })),
  ),
]);

interface Received extends PublishFailure {
  readonly receiptHandle: string;
  readonly batch: StreamBatch | undefined;
}

/** The failure queue of the publisher and of its event source mapping. */
export const sqsPublishFailureQueue: PublishFailureQueue<Received> = {
  receive: async () => (await queue.receive()).map(toReceived),
  release: queue.release,
  remove: queue.remove,
  changesOf: async ({ batch }) => (batch ? readBatch(batch) : undefined),
};

function toReceived({ MessageId = "", ReceiptHandle = "", Body = "", Attributes }: Message): Received {
  const parsed = z.safeParse(body, parseJson(Body)).data;
  const batch = parsed && "DDBStreamBatchInfo" in parsed ? parsed.DDBStreamBatchInfo : undefined;
  return {
    messageId: MessageId,
    sentAt: new Date(Number(Attributes?.SentTimestamp)),
    receiptHandle: ReceiptHandle,
    batch,
    content:
      parsed && "DDBStreamBatchInfo" in parsed
        ? {
            batch: parsed.DDBStreamBatchInfo.shardId,
            problem: parsed.requestContext.condition,
            arrivedAt: parsed.DDBStreamBatchInfo.approximateArrivalOfFirstRecord,
          }
        : parsed,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Records of the stream, from the batch's first to its last. There can be others between them, which Lambda delivered in other batches. */
async function readBatch(batch: StreamBatch): Promise<readonly (WalletChange | UnreadableChange)[] | undefined> {
  const { streamArn, shardId, startSequenceNumber, endSequenceNumber } = batch;
  const records: unknown[] = [];
  try {
    let { ShardIterator: iterator } = await streams.send(
      new GetShardIteratorCommand({
        StreamArn: streamArn,
        ShardId: shardId,
        ShardIteratorType: "AT_SEQUENCE_NUMBER",
        SequenceNumber: startSequenceNumber,
      }),
    );
    while (iterator !== undefined) {
      const { Records = [], NextShardIterator } = await streams.send(
        new GetRecordsCommand({ ShardIterator: iterator }),
      );
      const isFirst = records.length === 0;
      // An engine can return what comes after a record that it does not have any more.
      if (isFirst && Records[0]?.dynamodb?.SequenceNumber !== startSequenceNumber) return undefined;
      const end = Records.findIndex(({ dynamodb }) => dynamodb?.SequenceNumber === endSequenceNumber);
      records.push(...(end < 0 ? Records : Records.slice(0, end + 1)));
      if (end >= 0) return walletChanges(records);
      iterator = NextShardIterator;
    }
    return undefined;
  } catch (error) {
    if (error instanceof Error && GONE.has(error.name)) return undefined;
    throw error;
  }
}

/** What the service answers for records, or for a shard or a stream, that it does not have any more. */
const GONE = new Set(["TrimmedDataAccessException", "ResourceNotFoundException", "ValidationException"]);
