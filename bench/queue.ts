import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";

/** The stack's queue of commands. */
export class Queue {
  readonly #sqs: SQSClient;

  constructor(port: number) {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    this.#sqs = new SQSClient({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials });
  }

  /** Commands that wait to be handed out, or are and wait to be deleted. */
  async length(): Promise<number> {
    const { QueueUrl } = await this.#sqs.send(new GetQueueUrlCommand({ QueueName: "antler-local-commands.fifo" }));
    const { Attributes = {} } = await this.#sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl,
        AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
      }),
    );
    return Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesNotVisible);
  }
}
