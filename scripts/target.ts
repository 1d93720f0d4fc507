import { GetQueueUrlCommand, QueueDoesNotExist } from "@aws-sdk/client-sqs";
import * as z from "zod";
import { sqs } from "../lib/aws/clients.ts";
import { atEndpoint } from "../localstack/provision.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { Refusal } from "./command.ts";

/** The option `--stage`. */
export const stage = z
  .string()
  .regex(/^[A-Za-z0-9-]+$/, "must be letters, digits and hyphens")
  .default("local");

/**
 * Points the ledger's adapters at a stage: `local` is the stack of `npm start` on this machine, found by its ports; any
 * other is a deployed one, found by the usual AWS environment.
 */
export function aimAt(stage: string): void {
  if (stage === "local") Object.assign(process.env, awsEnvironment(readSettings(process.env)));
  // As in serverless.yml.
  process.env.AWS_REGION ||= "us-east-1";
  process.env.WALLETS_TABLE = `antler-${stage}-wallets`;
  process.env.TRANSACTIONS_TABLE = `antler-${stage}-transactions`;
  process.env.CURRENCIES_TABLE = `antler-${stage}-currencies`;
}

/**
 * As {@link aimAt}, and at the stage's queues.
 *
 * @throws Refusal when there are none
 */
export async function aimAtQueues(stage: string): Promise<void> {
  aimAt(stage);
  process.env.COMMANDS_QUEUE_URL = await findQueue(`antler-${stage}-commands.fifo`, stage);
  process.env.DEAD_LETTER_QUEUE_URL = await findQueue(`antler-${stage}-dead-letters.fifo`, stage);
}

async function findQueue(name: string, stage: string): Promise<string> {
  try {
    const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    return atEndpoint(QueueUrl);
  } catch (error) {
    if (error instanceof QueueDoesNotExist) {
      throw new Refusal(
        `There is no queue ${name} here: the stage ${stage} is not deployed to this account and region`,
      );
    }
    if (stage === "local" && error instanceof Error && "code" in error && error.code === "ECONNREFUSED") {
      throw new Refusal("The local stack does not run: start it with npm start, or name a deployed one with --stage");
    }
    throw error;
  }
}
