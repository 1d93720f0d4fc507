import { setTimeout } from "node:timers/promises";
import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";

/** As AWS has it until there is more to do. */
const BATCHES_AT_ONCE_MAX = 5;
/**
 * A batch that was not full is given a head start on the next one, until it is done but not for longer than this, and then
 * for each message beyond the first that it had a little more: where several came at once more are coming, and one
 * larger batch is much less work than two.
 */
const HEAD_START_MS_MAX = 50;
const GATHER_MS = 3;
const RECEIVE_WAIT_SECONDS = 20;
const ERROR_PAUSE_MS = 500;

export interface EventSource {
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  readonly maximumConcurrency: number;
  readonly region: string;
}

/**
 * Feeds a queue to a function as AWS does: batches of up to `batchSize`, which can hold several groups; what the function
 * does not report as failed is deleted; what it reports, and everything when it throws, stays until its visibility timeout
 * ends. FIFO order is the queue's work: it hands out nothing of a group that is in flight.
 *
 * @returns stops polling, and resolves once the batches under way are done
 */
export function mapEventSource(
  source: EventSource,
  invoke: (event: SQSEvent) => Promise<unknown>,
): () => Promise<void> {
  const stopping = new AbortController();
  // A client of its own: a receive waits for longer than the ledger's calls may take.
  const client = new SQSClient({ requestHandler: { requestTimeout: (RECEIVE_WAIT_SECONDS + 10) * 1000 } });
  const polling = poll(source, client, invoke, stopping.signal);
  return async () => {
    stopping.abort();
    await polling;
    client.destroy();
  };
}

async function poll(
  source: EventSource,
  client: SQSClient,
  invoke: (event: SQSEvent) => Promise<unknown>,
  stopping: AbortSignal,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  while (!stopping.aborted) {
    try {
      const messages = await receive(source, client, stopping);
      if (messages.length === 0) continue;
      const handled = handle(source, client, messages, invoke)
        .catch(report)
        .finally(() => underWay.delete(handled));
      underWay.add(handled);
      if (messages.length < source.batchSize) {
        await Promise.race([handled, setTimeout(HEAD_START_MS_MAX)]);
        if (messages.length > 1) await setTimeout((messages.length - 1) * GATHER_MS);
      }
      if (underWay.size === Math.min(BATCHES_AT_ONCE_MAX, source.maximumConcurrency)) await Promise.race(underWay);
    } catch (error) {
      if (stopping.aborted) break;
      report(error);
      await setTimeout(ERROR_PAUSE_MS, undefined, { signal: stopping }).catch(() => {});
    }
  }
  await Promise.all(underWay);
}

function report(error: unknown): void {
  console.error("The event source mapping goes on after", error);
}

async function receive(source: EventSource, client: SQSClient, stopping: AbortSignal): Promise<Message[]> {
  const { Messages = [] } = await client.send(
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
  client: SQSClient,
  messages: readonly Message[],
  invoke: (event: SQSEvent) => Promise<unknown>,
): Promise<void> {
  const response = await invoke({ Records: messages.map((message) => toRecord(message, source)) });
  const failed = failedIds(response);
  // A failure that names no record of the batch fails the whole batch, as on AWS.
  const known = new Set(messages.map(({ MessageId }) => MessageId));
  if ([...failed].some((id) => !known.has(id))) return;
  const done = messages.filter(({ MessageId = "" }) => !failed.has(MessageId));
  if (done.length === 0) return;
  await client.send(
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
