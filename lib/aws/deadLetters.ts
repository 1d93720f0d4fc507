import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { setting } from "../config.ts";
import { decodeMessage } from "../ledger/message.ts";
import type { DeadLetter, DeadLetterQueue } from "../ledger/redrive.ts";

/** A receive must wait: one that doesn't may find nothing in a queue that is not empty. */
const RECEIVE_WAIT_SECONDS = 1;
const BATCH_MAX = 10;

/** A client of its own: a person's tool may wait for longer than a function. */
const sqs = new SQSClient({
  maxAttempts: 4,
  requestHandler: { connectionTimeout: 2000, requestTimeout: 10_000, throwOnRequestTimeout: true },
});

export interface ReceivedLetter extends DeadLetter {
  readonly receiptHandle: string;
}

/**
 * The dead-letter queue. It is FIFO: letters that are taken hide the later ones of their user, so that a look goes no
 * further than ten letters deep into one user's.
 *
 * @param hiddenSeconds how long a taken letter stays hidden if this process dies
 */
export function sqsDeadLetters(hiddenSeconds: number): DeadLetterQueue<ReceivedLetter> {
  return {
    async take() {
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
      return Messages.map(toLetter);
    },
    async giveBack(letters) {
      for (let start = 0; start < letters.length; start += BATCH_MAX) {
        await sqs.send(
          new ChangeMessageVisibilityBatchCommand({
            QueueUrl: setting("DEAD_LETTER_QUEUE_URL"),
            Entries: letters.slice(start, start + BATCH_MAX).map(({ receiptHandle }, index) => ({
              Id: String(index),
              ReceiptHandle: receiptHandle,
              VisibilityTimeout: 0,
            })),
          }),
        );
      }
    },
    async sendBack({ messageId, userId, body }) {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: setting("COMMANDS_QUEUE_URL"),
          MessageGroupId: userId,
          // The command's own id, by which it was sent first, may still be in SQS's five minutes and would be swallowed.
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

/** About how many dead letters there are, those included that somebody has taken. */
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

function toLetter({ MessageId = "", ReceiptHandle = "", Body = "", Attributes, MessageAttributes }: Message) {
  const message = decodeMessage(Body);
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    userId: message?.command.userId ?? Attributes?.MessageGroupId ?? MessageId,
    body: Body,
    message,
    reason: MessageAttributes?.reason?.StringValue,
    sentAt: new Date(Number(Attributes?.SentTimestamp)),
  };
}
