import { randomUUID } from "node:crypto";
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { ports } from "../lib/aws/adapters.ts";
import { sqs } from "../lib/aws/clients.ts";
import { consume } from "../lib/ledger/consume.ts";
import type { ConsumerObserver, QueueRecord } from "../lib/ledger/ports.ts";

/** At most ten messages, with all their attributes. */
export async function receive(queueUrl: string): Promise<Message[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    }),
  );
  return Messages;
}

/** Deletes messages that were received together. */
export async function remove(queueUrl: string, messages: readonly Message[]): Promise<void> {
  if (messages.length === 0) return;
  const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
  await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
}

/** Receives and deletes every message that can be received. */
export async function receiveAll(queueUrl: string): Promise<Message[]> {
  const all: Message[] = [];
  for (let batch = await receive(queueUrl); batch.length > 0; batch = await receive(queueUrl)) {
    await remove(queueUrl, batch);
    all.push(...batch);
  }
  return all;
}

export function receivedRecord({ MessageId = "", Body = "", Attributes }: Message): QueueRecord {
  return {
    recordId: MessageId,
    groupId: Attributes?.MessageGroupId ?? "",
    body: Body,
    isRedelivered: Attributes?.ApproximateReceiveCount !== "1",
  };
}

export const silentObserver: ConsumerObserver = {
  committed() {},
  retried() {},
  unsent() {},
  deadLettered() {},
  failed() {},
};

/**
 * Runs the consumer on every message that can be received.
 *
 * @returns how many there were
 * @throws Error when the consumer failed a record
 */
export async function consumeAll(queueUrl: string): Promise<number> {
  const records = (await receiveAll(queueUrl)).map(receivedRecord);
  const failed = await consume(records, { ...ports, observer: silentObserver });
  if (failed.length > 0) throw new Error(`The consumer failed ${failed.length} records`);
  return records.length;
}

/** Sends a message whose body may be anything. */
export async function sendRaw(queueUrl: string, groupId: string, body: string): Promise<void> {
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageGroupId: groupId,
      MessageDeduplicationId: randomUUID(),
      MessageBody: body,
    }),
  );
}
