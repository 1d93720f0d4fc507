import { type Message, SendMessageCommand } from "@aws-sdk/client-sqs";
import { commandsIn, decodeMessage } from "../ledger/message.ts";
import type { DeadLetterMessage, DeadLetterQueue } from "../ledger/redrive.ts";
import { setting } from "../runtime/config.ts";
import { operatorQueue, operatorSqs } from "./operatorQueue.ts";

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
  const { receive, release, remove } = operatorQueue("DEAD_LETTER_QUEUE_URL", hiddenSeconds);
  return {
    receive: async () => (await receive()).map(toDeadLetter),
    release,
    async resend({ messageId, userId }, body) {
      await operatorSqs.send(
        new SendMessageCommand({
          QueueUrl: setting("COMMANDS_QUEUE_URL"),
          MessageGroupId: userId,
          // Under the command's own id SQS could drop the message as a duplicate of the first send.
          MessageDeduplicationId: `redrive-${messageId}`,
          MessageBody: body,
        }),
      );
    },
    remove,
  };
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
