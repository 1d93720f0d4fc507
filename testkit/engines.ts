import { openSync } from "node:fs";
import { devNull } from "node:os";
import { vi } from "vitest";
import { seedCurrencies } from "../infra/seed.ts";
import { startDynamo, startSqs } from "../localstack/engines.ts";
import { provision, resolve } from "../localstack/provision.ts";
import { awsEnvironment, readSettings, type Settings } from "../localstack/settings.ts";
import { freePorts } from "./ports.ts";
import { template } from "./template.ts";

export type DynamoEngine = NonNullable<Settings["DYNAMODB_ENGINE"]>;

export interface Engines {
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly publishFailuresQueueUrl: string;
  /** Of the wallets table. */
  readonly streamArn: string;
  stopSqs(): Promise<void>;
  /** Starts SQS on the same port with the same queues, empty. */
  restartSqs(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts real engines with the tables, queues and topics of `infra/`, and points this process's environment at them. */
export async function startEngines(engine: DynamoEngine): Promise<Engines> {
  const settings = readSettings({ ...(await freePorts("AWS_PORT", "DYNAMODB_PORT")), DYNAMODB_ENGINE: engine });
  for (const [name, value] of Object.entries(awsEnvironment(settings))) vi.stubEnv(name, value);
  const dynamo = await startDynamo(settings, process.env, openSync(devNull, "w"));
  let sqs = await startSqs(settings);
  const ids = await provision(template("test"));
  const ref = (logicalId: string) => String(resolve({ Ref: logicalId }, ids));
  vi.stubEnv("CURRENCIES_TABLE", ref("CurrenciesTable"));
  vi.stubEnv("WALLETS_TABLE", ref("WalletsTable"));
  vi.stubEnv("TRANSACTIONS_TABLE", ref("TransactionsTable"));
  vi.stubEnv("COMMANDS_QUEUE_URL", ref("CommandsQueue"));
  vi.stubEnv("DEAD_LETTER_QUEUE_URL", ref("DeadLetterQueue"));
  vi.stubEnv("EVENTS_TOPIC_ARN", ref("EventsTopic"));
  vi.stubEnv("EVENT_SOURCE", "antler-test");
  vi.stubEnv("PUBLISH_FAILURES_QUEUE_URL", ref("PublishFailuresQueue"));
  vi.stubEnv("WEBHOOKS_TABLE", ref("WebhooksTable"));
  vi.stubEnv("WEBHOOKS_QUEUE_URL", ref("WebhooksQueue"));
  vi.stubEnv("WEBHOOK_FAILURES_QUEUE_URL", ref("WebhookFailuresQueue"));
  await seedCurrencies(ref("CurrenciesTable"));

  return {
    queueUrl: ref("CommandsQueue"),
    deadLetterQueueUrl: ref("DeadLetterQueue"),
    publishFailuresQueueUrl: ref("PublishFailuresQueue"),
    streamArn: String(resolve({ "Fn::GetAtt": "WalletsTable.StreamArn" }, ids)),
    stopSqs: () => sqs.stop(),
    async restartSqs() {
      sqs = await startSqs(settings);
      await provision(template("test"));
    },
    async stop() {
      await Promise.all([sqs.stop(), dynamo.stop()]);
      vi.unstubAllEnvs();
    },
  };
}
