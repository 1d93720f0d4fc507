import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import * as z from "zod";
import { sqs } from "../lib/aws/clients.ts";

const INSPECTION_TIMEOUT_MS = 2000;

export interface QueueFigures {
  readonly waiting: number;
  readonly inFlight: number;
  /** Of the oldest message that nobody has deleted, in flight or not; 0 of an empty queue, absent if it can't be told. */
  readonly oldestAgeSeconds: number | undefined;
}

/** How a queue stands now. On AWS, CloudWatch has the same figures. */
export async function readQueue(queueUrl: string): Promise<QueueFigures> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: queueUrl,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  const waiting = Number(Attributes.ApproximateNumberOfMessages);
  const inFlight = Number(Attributes.ApproximateNumberOfMessagesNotVisible);
  const sentMs = waiting + inFlight === 0 ? [] : await sentTimes(queueUrl);
  const oldestMs = sentMs?.reduce((oldest, each) => Math.min(oldest, each), Date.now());
  return { waiting, inFlight, oldestAgeSeconds: oldestMs && (Date.now() - oldestMs) / 1000 };
}

/**
 * When each message of a queue was sent. The API of SQS does not tell without taking the messages, so this asks what the
 * emulators offer beside it.
 *
 * @returns `undefined` from an emulator that does not tell
 */
async function sentTimes(queueUrl: string): Promise<number[] | undefined> {
  return (await askFauxqs(queueUrl)) ?? (await askLocalStack(queueUrl));
}

const fauxqsAnswer = z.array(z.object({ name: z.string(), oldestSentTimestamp: z.number().optional() }));

/** Of its oldest message only: the messages themselves would be megabytes when many wait. */
async function askFauxqs(queueUrl: string): Promise<number[] | undefined> {
  const queueName = new URL(queueUrl).pathname.split("/").at(-1);
  const parsed = fauxqsAnswer.safeParse(await getJson(new URL("/_fauxqs/queues", queueUrl)));
  return parsed.data?.flatMap(({ name, oldestSentTimestamp }) =>
    name === queueName && oldestSentTimestamp !== undefined ? [oldestSentTimestamp] : [],
  );
}

const localStackAnswer = z.object({
  Messages: z.array(z.object({ Attributes: z.object({ SentTimestamp: z.coerce.number() }) })).default([]),
});

async function askLocalStack(queueUrl: string): Promise<number[] | undefined> {
  const path = `/_aws/sqs/messages/${await sqs.config.region()}${new URL(queueUrl).pathname}?ShowInvisible=true`;
  const parsed = localStackAnswer.safeParse(await getJson(new URL(path, queueUrl)));
  return parsed.data?.Messages.map(({ Attributes }) => Attributes.SentTimestamp);
}

async function getJson(url: URL): Promise<unknown> {
  const response = await fetch(url, {
    // LocalStack answers in the form of the protocol that the type belongs to.
    headers: { "content-type": "application/x-amz-json-1.0" },
    signal: AbortSignal.timeout(INSPECTION_TIMEOUT_MS),
  });
  return response.ok ? response.json() : undefined;
}
