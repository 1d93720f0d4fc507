import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import * as z from "zod";
import { sqs } from "../lib/aws/clients.ts";

const INSPECTION_TIMEOUT_MS = 2000;

export interface QueueStats {
  readonly waiting: number;
  readonly inFlight: number;
  /** The age of the oldest message, in flight or not; 0 for an empty queue, absent if the emulator does not report it. */
  readonly oldestAgeSeconds: number | undefined;
}

/** On AWS, CloudWatch has the same metrics. */
export async function readQueueStats(queueUrl: string): Promise<QueueStats> {
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
 * When the messages of a queue were sent, in milliseconds. SQS returns this only with received messages, so it is read
 * from the emulators' own endpoints.
 *
 * @returns `undefined` if the emulator has no such endpoint
 */
async function sentTimes(queueUrl: string): Promise<number[] | undefined> {
  return (await readFauxqs(queueUrl)) ?? (await readLocalStack(queueUrl));
}

const fauxqsResponse = z.array(z.object({ name: z.string(), oldestSentTimestamp: z.number().optional() }));

/** Reads the oldest message's time only: the messages can be megabytes. */
async function readFauxqs(queueUrl: string): Promise<number[] | undefined> {
  const queueName = new URL(queueUrl).pathname.split("/").at(-1);
  const parsed = fauxqsResponse.safeParse(await getJson(new URL("/_fauxqs/queues", queueUrl)));
  return parsed.data?.flatMap(({ name, oldestSentTimestamp }) =>
    name === queueName && oldestSentTimestamp !== undefined ? [oldestSentTimestamp] : [],
  );
}

const localStackResponse = z.object({
  Messages: z.array(z.object({ Attributes: z.object({ SentTimestamp: z.coerce.number() }) })).default([]),
});

async function readLocalStack(queueUrl: string): Promise<number[] | undefined> {
  const path = `/_aws/sqs/messages/${process.env.AWS_REGION}${new URL(queueUrl).pathname}?ShowInvisible=true`;
  const parsed = localStackResponse.safeParse(await getJson(new URL(path, queueUrl)));
  return parsed.data?.Messages.map(({ Attributes }) => Attributes.SentTimestamp);
}

async function getJson(url: URL): Promise<unknown> {
  const response = await fetch(url, {
    // This type makes LocalStack respond in JSON.
    headers: { "content-type": "application/x-amz-json-1.0" },
    signal: AbortSignal.timeout(INSPECTION_TIMEOUT_MS),
  });
  return response.ok ? response.json() : undefined;
}
