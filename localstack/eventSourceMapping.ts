import { setTimeout } from "node:timers/promises";
import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import type { Transport } from "../lib/aws/transport/directTransport.ts";
import { sdkHandlerOptions } from "../lib/aws/transport/httpHandler.ts";
import { createTransport } from "../lib/aws/transport/transport.ts";

/** As on AWS at a low load. */
const CONCURRENT_BATCHES_MAX = 5;
/**
 * After a batch that was not full, the next receive waits until the batch is done, but at most for this time, and then for
 * GATHER_MS per message beyond the first: when several messages arrived together, more follow, and one larger batch costs
 * much less than two.
 */
const NEXT_RECEIVE_DELAY_MS_MAX = 50;
const GATHER_MS = 3;
const RECEIVE_WAIT_SECONDS = 20;
/** A receive waits for longer than the ledger's own calls may take. */
const TIMEOUTS = { connectMs: 1000, requestMs: (RECEIVE_WAIT_SECONDS + 10) * 1000 };
const ERROR_PAUSE_MS = 500;

export interface EventSource {
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  readonly maximumConcurrency: number;
  readonly region: string;
}

/**
 * Invokes a function with the messages of a queue, as AWS does: in batches of up to `batchSize`, across message groups.
 * Records that the function does not report as failed are deleted. Failed ones, and all records when the function throws,
 * are visible again after their visibility timeout. The queue ensures the order: it delivers no further messages of a
 * group that is in flight.
 *
 * @returns stops polling; resolves when the batches in progress are done
 */
export function mapEventSource(
  source: EventSource,
  invoke: (event: SQSEvent) => Promise<unknown>,
): () => Promise<void> {
  const stopping = new AbortController();
  const client = new SQSClient({ requestHandler: sdkHandlerOptions(TIMEOUTS) });
  const sqs = createTransport(client, "sqs", TIMEOUTS);
  const polling = poll(source, sqs, invoke, stopping.signal);
  return async () => {
    stopping.abort();
    await polling;
    client.destroy();
  };
}

async function poll(
  source: EventSource,
  sqs: Transport,
  invoke: (event: SQSEvent) => Promise<unknown>,
  stopping: AbortSignal,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  while (!stopping.aborted) {
    try {
      const messages = await receive(source, sqs, stopping);
      if (messages.length === 0) continue;
      const handled = handle(source, sqs, messages, invoke)
        .catch(report)
        .finally(() => underWay.delete(handled));
      underWay.add(handled);
      if (messages.length < source.batchSize) {
        await Promise.race([handled, setTimeout(NEXT_RECEIVE_DELAY_MS_MAX)]);
        if (messages.length > 1) await setTimeout((messages.length - 1) * GATHER_MS);
      }
      if (underWay.size === Math.min(CONCURRENT_BATCHES_MAX, source.maximumConcurrency)) await Promise.race(underWay);
    } catch (error) {
      if (stopping.aborted) break;
      report(error);
      await setTimeout(ERROR_PAUSE_MS, undefined, { signal: stopping }).catch(() => {});
    }
  }
  await Promise.all(underWay);
}

function report(error: unknown): void {
  console.error("The event source mapping continues after", error);
}

async function receive(source: EventSource, sqs: Transport, stopping: AbortSignal): Promise<Message[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: source.queueUrl,
      MaxNumberOfMessages: source.batchSize,
      WaitTimeSeconds: RECEIVE_WAIT_SECONDS,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    }),
    { abortSignal: stopping },
  );
  return Messages;
}

async function handle(
  source: EventSource,
  sqs: Transport,
  messages: readonly Message[],
  invoke: (event: SQSEvent) => Promise<unknown>,
): Promise<void> {
  const response = await invoke({ Records: messages.map((message) => toRecord(message, source)) });
  const failed = failedIds(response);
  // As on AWS, an id that is not in the batch fails the whole batch.
  const known = new Set(messages.map(({ MessageId }) => MessageId));
  if ([...failed].some((id) => !known.has(id))) return;
  const done = messages.filter(({ MessageId = "" }) => !failed.has(MessageId));
  if (done.length === 0) return;
  await sqs.send(
    new DeleteMessageBatchCommand({
      QueueUrl: source.queueUrl,
      Entries: done.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
    }),
  );
}

function failedIds(response: unknown): Set<string> {
  const { batchItemFailures } = (response ?? {}) as Partial<SQSBatchResponse>;
  return new Set((batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier));
}

function toRecord(message: Message, { queueArn, region }: EventSource): SQSRecord {
  const { MessageId = "", ReceiptHandle = "", Body = "", Attributes = {}, MD5OfBody = "" } = message;
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: "",
      SenderId: "",
      ApproximateFirstReceiveTimestamp: "",
      ...Attributes,
    },
    messageAttributes: {},
    md5OfBody: MD5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}
