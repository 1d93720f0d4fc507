import { ListSubscriptionsByTopicCommand, SNSClient, SubscribeCommand, UnsubscribeCommand } from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteQueueCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SQSClient,
  TagQueueCommand,
} from "@aws-sdk/client-sqs";
import { sdkHandlerOptions } from "../lib/aws/transport/httpHandler.ts";
import { atEndpoint } from "../localstack/provision.ts";

const RECEIVE_WAIT_SECONDS = 20;
/** A receive waits for longer than the ledger's own calls may take. */
const TIMEOUTS = { connectMs: 5000, requestMs: (RECEIVE_WAIT_SECONDS + 10) * 1000 };
/** SQS deletes what a process that was killed does not receive. */
const RETENTION_SECONDS = 3600;
/** The tag with the time when the queue's process was alive last, ISO 8601. */
const ALIVE_TAG = "antler-alive-at";
const ALIVE_INTERVAL_MS = 60_000;
/** A queue whose process has not said for so long that it is alive is removed by the next process. */
const STALE_MS = 5 * ALIVE_INTERVAL_MS;

/** Of the body of an event, by SNS's rules. */
export type EventFilter = Readonly<Record<string, unknown>>;

/** A queue that gets the events of a topic, as they are published. */
export class EventQueue {
  readonly #sns = new SNSClient({ requestHandler: sdkHandlerOptions(TIMEOUTS) });
  readonly #sqs = new SQSClient({ requestHandler: sdkHandlerOptions(TIMEOUTS) });
  readonly #topicArn: string;
  #url = "";
  #aliveTimer: NodeJS.Timeout | undefined;

  constructor(topicArn: string) {
    this.#topicArn = topicArn;
  }

  /** Creates the queue, with a policy that admits only the topic, and its subscription; all events if there is no filter. */
  async open(name: string, filter?: EventFilter): Promise<void> {
    const queueArn = this.#queueArn(name);
    const { QueueUrl = "" } = await this.#sqs.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: {
          FifoQueue: "true",
          DeduplicationScope: "messageGroup",
          FifoThroughputLimit: "perMessageGroupId",
          MessageRetentionPeriod: String(RETENTION_SECONDS),
          SqsManagedSseEnabled: "true",
          Policy: JSON.stringify(admitTopic(this.#topicArn, queueArn)),
        },
        tags: { [ALIVE_TAG]: new Date().toISOString() },
      }),
    );
    this.#url = atEndpoint(QueueUrl);
    this.#aliveTimer = setInterval(() => void this.#sayAlive().catch(() => {}), ALIVE_INTERVAL_MS);
    await this.#sns.send(
      new SubscribeCommand({
        TopicArn: this.#topicArn,
        Protocol: "sqs",
        Endpoint: queueArn,
        Attributes: {
          RawMessageDelivery: "true",
          ...(filter && { FilterPolicyScope: "MessageBody", FilterPolicy: JSON.stringify(filter) }),
        },
      }),
    );
  }

  /**
   * Receives events and deletes them from the queue; waits for them.
   *
   * @returns bodies of at most ten events, none after 20 seconds without an event
   */
  async receive(abortSignal: AbortSignal, waitSeconds = RECEIVE_WAIT_SECONDS): Promise<string[]> {
    const { Messages = [] } = await this.#sqs.send(
      new ReceiveMessageCommand({ QueueUrl: this.#url, MaxNumberOfMessages: 10, WaitTimeSeconds: waitSeconds }),
      { abortSignal },
    );
    if (Messages.length > 0) {
      const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      await this.#sqs.send(new DeleteMessageBatchCommand({ QueueUrl: this.#url, Entries }));
    }
    return Messages.map(({ Body = "" }) => Body);
  }

  /** Removes the queues, with their subscriptions, whose names start with the prefix and whose processes have ended. */
  async removeStale(prefix: string): Promise<void> {
    let page: string | undefined;
    do {
      const listed = await this.#sqs.send(
        new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: 100, NextToken: page }),
      );
      for (const url of listed.QueueUrls ?? []) {
        if (await this.#isStale(atEndpoint(url))) await this.#remove(atEndpoint(url));
      }
      page = listed.NextToken;
    } while (page !== undefined);
  }

  /** Removes the queue and its subscription. */
  async close(): Promise<void> {
    clearInterval(this.#aliveTimer);
    if (this.#url !== "") await this.#remove(this.#url);
    this.#sns.destroy();
    this.#sqs.destroy();
  }

  async #sayAlive(): Promise<void> {
    const Tags = { [ALIVE_TAG]: new Date().toISOString() };
    await this.#sqs.send(new TagQueueCommand({ QueueUrl: this.#url, Tags }));
  }

  async #isStale(url: string): Promise<boolean> {
    try {
      const { Tags = {} } = await this.#sqs.send(new ListQueueTagsCommand({ QueueUrl: url }));
      // A queue without the tag is not ours.
      return Date.now() - Date.parse(Tags[ALIVE_TAG] ?? "") > STALE_MS;
    } catch (error) {
      // Its process has removed it in between.
      if (error instanceof QueueDoesNotExist) return false;
      throw error;
    }
  }

  async #remove(url: string): Promise<void> {
    const queueArn = this.#queueArn(url.split("/").at(-1) ?? "");
    let page: string | undefined;
    do {
      const { Subscriptions = [], NextToken } = await this.#sns.send(
        new ListSubscriptionsByTopicCommand({ TopicArn: this.#topicArn, NextToken: page }),
      );
      for (const { Endpoint, SubscriptionArn } of Subscriptions) {
        if (Endpoint === queueArn) await this.#sns.send(new UnsubscribeCommand({ SubscriptionArn }));
      }
      page = NextToken;
    } while (page !== undefined);
    await this.#sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
  }

  /** The queue is in the topic's region and account. */
  #queueArn(name: string): string {
    const [arn, partition, , region, account] = this.#topicArn.split(":");
    return [arn, partition, "sqs", region, account, name].join(":");
  }
}

function admitTopic(topicArn: string, queueArn: string) {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "sns.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: queueArn,
        Condition: { ArnEquals: { "aws:SourceArn": topicArn } },
      },
    ],
  };
}
