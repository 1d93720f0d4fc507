import { ListTopicsCommand, SNSClient } from "@aws-sdk/client-sns";
import { GetQueueUrlCommand, QueueDoesNotExist } from "@aws-sdk/client-sqs";
import { sqs } from "../lib/aws/clients.ts";
import { atEndpoint } from "../localstack/provision.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { CommandError } from "./command.ts";
import { stageName } from "./stageName.ts";

/** The option `--stage`. */
export const stage = stageName.default("local");

/**
 * Sets the environment of the ledger's adapters to a stage: `local` is the stack of `npm start`, found by its ports, any
 * other name a deployed stack, found by the AWS environment variables.
 */
export function useStage(stage: string): void {
  if (stage === "local") Object.assign(process.env, awsEnvironment(readSettings(process.env)));
  // The region in serverless.yml.
  process.env.AWS_REGION ||= "us-east-1";
  process.env.WALLETS_TABLE = `antler-${stage}-wallets`;
  process.env.TRANSACTIONS_TABLE = `antler-${stage}-transactions`;
  process.env.CURRENCIES_TABLE = `antler-${stage}-currencies`;
}

/**
 * As {@link useStage}, with the stage's queues.
 *
 * @throws CommandError when the stage has none
 */
export async function useStageWithQueues(stage: string): Promise<void> {
  useStage(stage);
  process.env.COMMANDS_QUEUE_URL = await findQueue(`antler-${stage}-commands.fifo`, stage);
  process.env.DEAD_LETTER_QUEUE_URL = await findQueue(`antler-${stage}-dead-letters.fifo`, stage);
}

/**
 * The ARN of the topic with the stage's events. Call {@link useStage} before.
 *
 * @throws CommandError when the stage has none
 */
export async function findEventsTopic(stage: string): Promise<string> {
  const name = `antler-${stage}-events.fifo`;
  const sns = new SNSClient({});
  try {
    let page: string | undefined;
    do {
      const { Topics = [], NextToken } = await sns.send(new ListTopicsCommand({ NextToken: page }));
      const found = Topics.find(({ TopicArn }) => TopicArn?.endsWith(`:${name}`))?.TopicArn;
      if (found !== undefined) return found;
      page = NextToken;
    } while (page !== undefined);
  } catch (error) {
    throw explained(error, stage);
  } finally {
    sns.destroy();
  }
  throw new CommandError(
    `There is no topic ${name}: the stage ${stage} is not deployed to this account and region, or publishes no events`,
  );
}

/**
 * As {@link useStage}, with what publishes the stage's events.
 *
 * @throws CommandError when the stage publishes none
 */
export async function useStageWithEvents(stage: string): Promise<void> {
  useStage(stage);
  process.env.EVENT_SOURCE = `antler-${stage}`;
  process.env.EVENTS_TOPIC_ARN = await findEventsTopic(stage);
  process.env.PUBLISH_FAILURES_QUEUE_URL = await findQueue(`antler-${stage}-publish-failures`, stage);
  await useWebhooks(stage);
}

/**
 * As {@link useStage}, with the stage's webhooks.
 *
 * @throws CommandError when the stage has none
 */
export async function useStageWithWebhooks(stage: string): Promise<void> {
  useStage(stage);
  await useWebhooks(stage);
}

async function useWebhooks(stage: string): Promise<void> {
  process.env.WEBHOOKS_TABLE = `antler-${stage}-webhooks`;
  process.env.WEBHOOKS_QUEUE_URL = await findQueue(`antler-${stage}-webhooks`, stage);
  process.env.WEBHOOK_FAILURES_QUEUE_URL = await findQueue(`antler-${stage}-webhook-failures`, stage);
}

async function findQueue(name: string, stage: string): Promise<string> {
  try {
    const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    return atEndpoint(QueueUrl);
  } catch (error) {
    if (error instanceof QueueDoesNotExist) {
      throw new CommandError(
        `There is no queue ${name}: the stage ${stage} is not deployed to this account and region`,
      );
    }
    throw explained(error, stage);
  }
}

function explained(error: unknown, stage: string): unknown {
  const isRefused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  return stage === "local" && isRefused
    ? new CommandError("The local stack does not run: start it with npm start, or choose a deployed one with --stage")
    : error;
}
