import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  TagQueueCommand,
} from "@aws-sdk/client-sqs";
import { type FauxqsServer, startFauxqs } from "fauxqs";
import { onTestFinished } from "vitest";

/** The local SQS engine alone, and FIFO queues in it. */

export interface Engine {
  server: FauxqsServer;
  sqs: SQSClient;
  stop: () => Promise<void>;
}

/** Starts an engine on a free port, in memory unless it gets a folder. It stops when the test ends. */
export async function startEngine(dataDir?: string): Promise<Engine> {
  const server = await startFauxqs({
    port: 0,
    listenHost: "127.0.0.1",
    logger: false,
    ...(dataDir !== undefined && { dataDir }),
  });
  const sqs = new SQSClient({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= server.stop().finally(() => sqs.destroy());
    return stopped;
  };
  onTestFinished(stop);
  return { server, sqs, stop };
}

interface Outgoing {
  group: string;
  id: string;
  body: string;
}

export type FifoQueue = Awaited<ReturnType<typeof createQueue>>;

export async function createQueue({ sqs }: Engine, attributes: Record<string, string> = {}, name = "queue.fifo") {
  const { QueueUrl } = await sqs.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { FifoQueue: "true", ...attributes } }),
  );
  const sendTo = async (group: string, ...messageBodies: string[]) => {
    for (const body of messageBodies) await sendOnce({ group, id: `${group} ${body}`, body });
  };
  const sendOnce = ({ group, id, body }: Outgoing) =>
    sqs.send(
      new SendMessageCommand({ QueueUrl, MessageGroupId: group, MessageDeduplicationId: id, MessageBody: body }),
    );
  return {
    sendTo,
    sendOnce,
    send: (...messageBodies: string[]) => sendTo("group", ...messageBodies),
    sendBatch: (...messages: Outgoing[]) =>
      sqs.send(
        new SendMessageBatchCommand({
          QueueUrl,
          Entries: messages.map(({ group, id, body }, index) => ({
            Id: String(index),
            MessageGroupId: group,
            MessageDeduplicationId: id,
            MessageBody: body,
          })),
        }),
      ),
    receive: async (input: Omit<ReceiveMessageCommandInput, "QueueUrl"> = {}, abortSignal?: AbortSignal) => {
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ["All"],
        ...input,
      });
      const { Messages = [] } = await sqs.send(command, { ...(abortSignal && { abortSignal }) });
      return Messages;
    },
    delete: (message: Message | undefined) =>
      sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle })),
    release: async (...messages: (Message | undefined)[]) => {
      for (const message of messages) {
        await sqs.send(
          new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle, VisibilityTimeout: 0 }),
        );
      }
    },
    tag: (Tags: Record<string, string>) => sqs.send(new TagQueueCommand({ QueueUrl, Tags })),
    attributes: async () => {
      const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
      return Attributes;
    },
  };
}

/** A queue whose messages can be received once, or so many times; the next receive moves them to the dead-letter queue. */
export async function createQueueWithDeadLetters(engine: Engine, maxReceiveCount = 1, name = "") {
  const deadLetters = await createQueue(engine, {}, `${name}dead-letters.fifo`);
  const { QueueArn } = await deadLetters.attributes();
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount });
  const queue = await createQueue(engine, { RedrivePolicy }, `${name}queue.fifo`);
  return { queue, deadLetters };
}
