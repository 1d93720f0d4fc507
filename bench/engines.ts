import { openSync } from "node:fs";
import { devNull } from "node:os";
import { startDynamo, startSqs } from "../localstack/engines.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { freePorts } from "../testkit/stack.ts";
import { openLedger } from "./ledger.ts";

/** The embedded engines with a ledger in them and nothing before them. */
export interface BenchEngines {
  /** What a function has to have in its environment; this process has it too. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startBenchEngines(): Promise<BenchEngines> {
  const settings = readSettings({ ...process.env, ...(await freePorts("AWS_PORT", "DYNAMODB_PORT")) });
  const aws = awsEnvironment(settings);
  Object.assign(process.env, aws);
  const dynamo = await startDynamo(settings, process.env, openSync(devNull, "w"));
  const sqs = await startSqs(settings);
  const ledger = await openLedger();
  return {
    environment: { ...aws, ...ledger.environment },
    async stop() {
      ledger.stop();
      await Promise.all([sqs.stop(), dynamo.stop()]);
    },
  };
}
