import { SendMessageBatchCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { sha256 } from "../domain/sha256.ts";
import { chunksOf } from "../ledger/chunksOf.ts";
import { deduplicationIdOf, encodeMessage, type Message, userIdOf } from "../ledger/message.ts";
import type { CommandQueue, DeadLetterReason, QueueRecord } from "../ledger/ports.ts";
import { TransientError } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { sqs } from "./clients.ts";

/** Messages in one call of SQS. */
export const QUEUE_BATCH_MAX = 10;

/** The commands queue, FIFO with one message group per user, and the dead-letter queue. */
export const sqsQueue: CommandQueue = { send, sendAll, sendToDeadLetters };

async function send(message: Message): Promise<void> {
  await sendMessage(new SendMessageCommand({ QueueUrl: setting("COMMANDS_QUEUE_URL"), ...entryOf(message) }));
}

async function sendAll(messages: readonly Message[]): Promise<ReadonlyMap<Message, TransientError>> {
  const unsent = await Promise.all(chunksOf(messages, QUEUE_BATCH_MAX).map(sendBatch));
  return new Map(unsent.flat());
}

/** @returns the messages that may not be in the queue, with the errors */
async function sendBatch(messages: readonly Message[]): Promise<(readonly [Message, TransientError])[]> {
  const Entries = messages.map((message, index) => ({ Id: String(index), ...entryOf(message) }));
  try {
    const { Failed = [] } = await sqs.send(
      new SendMessageBatchCommand({ QueueUrl: setting("COMMANDS_QUEUE_URL"), Entries }),
    );
    return Failed.flatMap(({ Id, Code, Message: text }) => {
      const message = messages[Number(Id)];
      return message ? [[message, toTransientError(`${Code} ${text}`)] as const] : [];
    });
  } catch (error) {
    return messages.map((message) => [message, toTransientError(error)] as const);
  }
}

function entryOf(message: Message) {
  return {
    MessageGroupId: userIdOf(message),
    MessageDeduplicationId: deduplicationIdOf(message),
    MessageBody: encodeMessage(message),
  };
}

async function sendToDeadLetters({ recordId, groupId, body }: QueueRecord, reason: DeadLetterReason): Promise<void> {
  await sendMessage(
    new SendMessageCommand({
      QueueUrl: setting("DEAD_LETTER_QUEUE_URL"),
      MessageGroupId: groupId,
      MessageDeduplicationId: sha256(JSON.stringify([recordId, body])),
      MessageBody: body,
      MessageAttributes: { reason: { DataType: "String", StringValue: reason } },
    }),
  );
}

/** @throws TransientError on every failure, because the message may not be in the queue and can be sent again */
export async function sendMessage(command: SendMessageCommand): Promise<void> {
  try {
    await sqs.send(command);
  } catch (error) {
    throw toTransientError(error);
  }
}

function toTransientError(error: unknown): TransientError {
  return new TransientError(`Send a message: ${String(error)}`, { cause: error });
}
