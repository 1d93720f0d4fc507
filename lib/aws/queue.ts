import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { encodeMessage, type Message } from "../ledger/message.ts";
import type { CommandQueue, DeadLetterReason, QueueRecord } from "../ledger/ports.ts";
import { TransientError } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { sqs } from "./clients.ts";

/** The commands queue, FIFO with one message group per user, and the dead-letter queue. */
export const sqsQueue: CommandQueue = { send, sendToDeadLetters };

async function send(message: Message): Promise<void> {
  const { userId, id } = message.command;
  await sendMessage(
    new SendMessageCommand({
      QueueUrl: setting("COMMANDS_QUEUE_URL"),
      MessageGroupId: userId,
      MessageDeduplicationId: id,
      MessageBody: encodeMessage(message),
    }),
  );
}

async function sendToDeadLetters(record: QueueRecord, reason: DeadLetterReason): Promise<void> {
  await sendMessage(
    new SendMessageCommand({
      QueueUrl: setting("DEAD_LETTER_QUEUE_URL"),
      MessageGroupId: record.groupId,
      MessageDeduplicationId: record.recordId,
      MessageBody: record.body,
      MessageAttributes: { reason: { DataType: "String", StringValue: reason } },
    }),
  );
}

/** @throws TransientError on every failure, because the message may not be in the queue and can be sent again */
export async function sendMessage(command: SendMessageCommand): Promise<void> {
  try {
    await sqs.send(command);
  } catch (error) {
    throw new TransientError(`Send a message: ${String(error)}`, { cause: error });
  }
}
