import { openSync } from "node:fs";
import { devNull } from "node:os";
import { startFauxqs } from "fauxqs";
import { vi } from "vitest";
import { seedCurrencies } from "../infra/seed.ts";
import { startDynamo } from "../localstack/engines.ts";
import { type PhysicalIds, provision, resolve } from "../localstack/provision.ts";
import type { Settings } from "../localstack/settings.ts";
import { freePorts } from "./stack.ts";
import { template } from "./template.ts";

export type DynamoEngine = NonNullable<Settings["DYNAMODB_ENGINE"]>;

export interface Engines {
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  stopSqs(): Promise<void>;
  /** Starts SQS on the same port with the same queues, empty. */
  restartSqs(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts real engines with the tables and queues of `infra/`, and points this process's environment at them. */
export async function startEngines(engine: DynamoEngine): Promise<Engines> {
  const { SQS_PORT, DYNAMODB_PORT } = await freePorts("SQS_PORT", "DYNAMODB_PORT");
  vi.stubEnv("AWS_ENDPOINT_URL_SQS", `http://127.0.0.1:${SQS_PORT}`);
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", `http://127.0.0.1:${DYNAMODB_PORT}`);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");

  const settings = { DYNAMODB_ENGINE: engine, DYNAMODB_PORT: Number(DYNAMODB_PORT), DATA_DIR: undefined };
  const dynamo = await startDynamo(settings, process.env, openSync(devNull, "w"));
  const startSqs = () => startFauxqs({ port: Number(SQS_PORT), listenHost: "127.0.0.1", logger: false });
  let sqs = await startSqs();
  const ids = await provision(template("test"));
  const ref = (logicalId: string, from: PhysicalIds = ids) => String(resolve({ Ref: logicalId }, from));
  vi.stubEnv("CURRENCIES_TABLE", ref("CurrenciesTable"));
  vi.stubEnv("WALLETS_TABLE", ref("WalletsTable"));
  vi.stubEnv("TRANSACTIONS_TABLE", ref("TransactionsTable"));
  vi.stubEnv("COMMANDS_QUEUE_URL", ref("CommandsQueue"));
  vi.stubEnv("DEAD_LETTER_QUEUE_URL", ref("DeadLetterQueue"));
  await seedCurrencies(ref("CurrenciesTable"));

  return {
    queueUrl: ref("CommandsQueue"),
    deadLetterQueueUrl: ref("DeadLetterQueue"),
    stopSqs: () => sqs.stop(),
    async restartSqs() {
      sqs = await startSqs();
      await provision(template("test"));
    },
    async stop() {
      await Promise.all([sqs.stop(), dynamo.stop()]);
      vi.unstubAllEnvs();
    },
  };
}
