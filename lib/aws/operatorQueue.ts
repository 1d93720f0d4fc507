import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { type Setting, setting } from "../runtime/config.ts";
import { sdkHandlerOptions } from "./transport/httpHandler.ts";

/** A receive without a wait (short polling) can find nothing in a queue that is not empty. */
const RECEIVE_WAIT_SECONDS = 1;
const BATCH_MAX = 10;

/** A separate client: an operator's tool can wait longer than a function. */
export const operatorSqs = new SQSClient({
  maxAttempts: 4,
  requestHandler: sdkHandlerOptions({ connectMs: 2000, requestMs: 10_000 }),
});

interface Received {
  readonly receiptHandle: string;
}

/**
 * A queue that only operators read.
 *
 * @param urlSetting has its URL
 * @param hiddenSeconds how long a received message stays hidden if this process dies
 */
export function operatorQueue(urlSetting: Setting, hiddenSeconds: number) {
  return {
    /** At most ten messages, with all their attributes. */
    async receive() {
      const { Messages = [] } = await operatorSqs.send(
        new ReceiveMessageCommand({
          QueueUrl: setting(urlSetting),
          MaxNumberOfMessages: BATCH_MAX,
          WaitTimeSeconds: RECEIVE_WAIT_SECONDS,
          VisibilityTimeout: hiddenSeconds,
          MessageSystemAttributeNames: ["All"],
          MessageAttributeNames: ["All"],
        }),
      );
      return Messages;
    },
    async release(messages: readonly Received[]) {
      for (let start = 0; start < messages.length; start += BATCH_MAX) {
        await operatorSqs.send(
          new ChangeMessageVisibilityBatchCommand({
            QueueUrl: setting(urlSetting),
            Entries: messages.slice(start, start + BATCH_MAX).map(({ receiptHandle }, index) => ({
              Id: String(index),
              ReceiptHandle: receiptHandle,
              VisibilityTimeout: 0,
            })),
          }),
        );
      }
    },
    async remove({ receiptHandle }: Received) {
      await operatorSqs.send(new DeleteMessageCommand({ QueueUrl: setting(urlSetting), ReceiptHandle: receiptHandle }));
    },
  };
}

/** Approximately how many messages a queue holds, including those that are in flight. */
export async function countMessages(urlSetting: Setting): Promise<number> {
  const { Attributes = {} } = await operatorSqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: setting(urlSetting),
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible } = Attributes;
  return Number(ApproximateNumberOfMessages ?? 0) + Number(ApproximateNumberOfMessagesNotVisible ?? 0);
}
