import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { commandsIn, decodeMessage } from "../ledger/message.ts";
import type { DeadLetterMessage, DeadLetterQueue } from "../ledger/redrive.ts";
import { setting } from "../runtime/config.ts";
import { sdkHandlerOptions } from "./transport/httpHandler.ts";

/** A receive without a wait (short polling) can find nothing in a queue that is not empty. */
const RECEIVE_WAIT_SECONDS = 1;
const BATCH_MAX = 10;

/** A separate client: an operator's tool can wait longer than a function. */
const sqs = new SQSClient({
  maxAttempts: 4,
  requestHandler: sdkHandlerOptions({ connectMs: 2000, requestMs: 10_000 }),
});

export interface ReceivedDeadLetter extends DeadLetterMessage {
  readonly receiptHandle: string;
}

/**
 * The dead-letter queue. It is FIFO: received messages hide the later ones of their group, so that a peek reads at most
 * ten messages of one group.
 *
 * @param hiddenSeconds how long a received message stays hidden if this process dies
 */
export function sqsDeadLetters(hiddenSeconds: number): DeadLetterQueue<ReceivedDeadLetter> {
  return {
    async receive() {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: setting("DEAD_LETTER_QUEUE_URL"),
          MaxNumberOfMessages: BATCH_MAX,
          WaitTimeSeconds: RECEIVE_WAIT_SECONDS,
          VisibilityTimeout: hiddenSeconds,
          MessageSystemAttributeNames: ["All"],
          MessageAttributeNames: ["All"],
        }),
      );
      return Messages.map(toDeadLetter);
    },
    async release(messages) {
      for (let start = 0; start < messages.length; start += BATCH_MAX) {
        await sqs.send(
          new ChangeMessageVisibilityBatchCommand({
            QueueUrl: setting("DEAD_LETTER_QUEUE_URL"),
            Entries: messages.slice(start, start + BATCH_MAX).map(({ receiptHandle }, index) => ({
              Id: String(index),
              ReceiptHandle: receiptHandle,
              VisibilityTimeout: 0,
            })),
          }),
        );
      }
    },
    async resend({ messageId, userId }, body) {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: setting("COMMANDS_QUEUE_URL"),
          MessageGroupId: userId,
          // Under the command's own id SQS could drop the message as a duplicate of the first send.
          MessageDeduplicationId: `redrive-${messageId}`,
          MessageBody: body,
        }),
      );
    },
    async remove({ receiptHandle }) {
      await sqs.send(
        new DeleteMessageCommand({ QueueUrl: setting("DEAD_LETTER_QUEUE_URL"), ReceiptHandle: receiptHandle }),
      );
    },
  };
}

/** Approximately how many messages the dead-letter queue holds, including those that are in flight. */
export async function countDeadLetters(): Promise<number> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: setting("DEAD_LETTER_QUEUE_URL"),
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible } = Attributes;
  return Number(ApproximateNumberOfMessages ?? 0) + Number(ApproximateNumberOfMessagesNotVisible ?? 0);
}

function toDeadLetter({ MessageId = "", ReceiptHandle = "", Body = "", Attributes, MessageAttributes }: Message) {
  const message = decodeMessage(Body);
  const [command] = commandsIn(message);
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    userId: command?.userId ?? Attributes?.MessageGroupId ?? MessageId,
    body: Body,
    message,
    reason: MessageAttributes?.reason?.StringValue,
    sentAt: new Date(Number(Attributes?.SentTimestamp)),
  };
}
