import { once } from "node:events";
import { join, relative } from "node:path";
import { Worker } from "node:worker_threads";
import { stop as stopEsbuild } from "esbuild";
import { bundleFunctions } from "../infra/bundle.ts";
import { seedCurrencies } from "../infra/seed.ts";
import type { Serverless, SqsEvent, StreamEvent } from "../infra/serverless.ts";
import { measurements } from "../lib/runtime/metrics.ts";
import { limitConcurrency } from "./concurrencyLimiter.ts";
import type { FunctionThread } from "./functionThread.ts";
import { serveMetrics } from "./metrics.ts";
import { type PhysicalIds, provision, resolve } from "./provision.ts";
import { readSettings } from "./settings.ts";

const ROOT = join(import.meta.dirname, "..");

/**
 * Adds to serverless-offline, before the API listens: the template's tables, queues and topics, the currencies, the values of
 * `!Ref` and `!GetAtt` in the functions' environments, the event source mappings of queues and streams, the API's
 * concurrency limit, and metrics for Prometheus.
 */
export default class LocalStackPlugin {
  readonly hooks = {
    "before:offline:start:init": () => this.#start(),
    "before:offline:start:end": () => this.#stop(),
  };

  readonly #serverless: Serverless;
  readonly #streams: Worker[] = [];
  #bundles = "";
  #stops: (() => unknown)[] = [];

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
    // A deploy validates serverless.yml. Here it would take a fifth of a start's CPU time, and seconds of the first start.
    serverless.configSchemaHandler.validateConfig = async () => {};
  }

  async #start(): Promise<void> {
    const { service } = this.#serverless;
    this.#bundles = await bundlesFolder();
    service.custom["serverless-offline"].location = relative(ROOT, this.#bundles);
    const { DefaultRouteSettings } = service.resources.extensions.HttpApiStage.Properties;
    limitConcurrency(readSettings(process.env).API_PORT, DefaultRouteSettings.ThrottlingBurstLimit);
    const ids = await provision(service.resources.Resources);
    await seedCurrencies(String(resolve({ Ref: "CurrenciesTable" }, ids)));
    for (const definition of Object.values(service.functions)) {
      definition.environment = resolve(definition.environment ?? {}, ids) as Record<string, unknown>;
    }
    const stopMetrics = await serveMetrics(
      {
        commands: String(resolve({ Ref: "CommandsQueue" }, ids)),
        dead_letters: String(resolve({ Ref: "DeadLetterQueue" }, ids)),
        // A stage without events has none of these.
        ...(ids.has("PublishFailuresQueue") && {
          publish_failures: String(resolve({ Ref: "PublishFailuresQueue" }, ids)),
          webhooks: String(resolve({ Ref: "WebhooksQueue" }, ids)),
          webhook_failures: String(resolve({ Ref: "WebhookFailuresQueue" }, ids)),
        }),
      },
      readSettings(process.env),
    );
    const stopMappings = Object.entries(service.functions).flatMap(([key, { events }]) =>
      events.flatMap(({ sqs, stream }) => [
        ...(sqs ? [this.#mapQueue(key, sqs, ids)] : []),
        ...(stream ? [this.#mapStream(key, stream, ids)] : []),
      ]),
    );
    this.#stops = [...stopMappings, stopMetrics];
  }

  #mapQueue(functionKey: string, event: SqsEvent, ids: PhysicalIds): () => Promise<void> {
    const queueArn = String(resolve(event.arn, ids));
    const { batchSize, maximumConcurrency } = event;
    const { region } = this.#serverless.service.provider;
    const queueUrl = queueUrlOf(queueArn, ids);
    const thread = this.#startThread(functionKey, { queueUrl, queueArn, batchSize, maximumConcurrency, region });
    // The function may have written to a table.
    thread.worker.on("message", () => {
      for (const stream of this.#streams) stream.postMessage("wake");
    });
    return thread.stop;
  }

  #mapStream(functionKey: string, event: StreamEvent, ids: PhysicalIds): () => Promise<void> {
    const { batchSize, bisectBatchOnFunctionError, maximumRetryAttempts, maximumRecordAgeInSeconds } = event;
    const { functions, provider } = this.#serverless.service;
    const thread = this.#startThread(functionKey, {
      ...{ batchSize, bisectBatchOnFunctionError, maximumRetryAttempts, maximumRecordAgeInSeconds },
      streamArn: String(resolve(event.arn, ids)),
      failureQueueUrl: queueUrlOf(String(resolve(event.destinations.onFailure.arn, ids)), ids),
      functionName: functions[functionKey]?.name ?? functionKey,
      region: provider.region,
      positionFile: join(process.env.ANTLER_STATE_DIR ?? ROOT, `${functionKey}.position.json`),
    });
    this.#streams.push(thread.worker);
    return thread.stop;
  }

  #startThread(functionKey: string, source: FunctionThread["source"]) {
    const { functions, provider, custom } = this.#serverless.service;
    const { handler = "", environment, timeout = provider.timeout } = functions[functionKey] ?? {};
    const [module, exportName = ""] = handler.split(".");
    const thread: FunctionThread = {
      source,
      file: join(this.#bundles, `${module}${custom.esbuild.outputFileExtension}`),
      exportName,
      timeoutSeconds: timeout,
    };
    const worker = new Worker(new URL("functionThread.ts", import.meta.url), {
      workerData: thread,
      env: { ...process.env, ...provider.environment, ...(environment as Record<string, string>) },
    });
    worker.on("message", (recorded: readonly unknown[]) => {
      for (const measurement of recorded) measurements.publish(measurement);
    });
    worker.on("error", (error) => {
      throw error;
    });
    const stop = async () => {
      worker.postMessage("stop");
      await once(worker, "exit");
    };
    return { worker, stop };
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
  }
}

/** The folder that has the bundles: that of `ANTLER_BUNDLES`, which tests share, or one for this stack alone. */
async function bundlesFolder(): Promise<string> {
  const { ANTLER_BUNDLES, ANTLER_BUILD_DIR = ".esbuild" } = process.env;
  if (ANTLER_BUNDLES) return ANTLER_BUNDLES;
  const folder = join(ROOT, ANTLER_BUILD_DIR);
  await bundleFunctions(folder);
  // The running esbuild holds half a gigabyte.
  await stopEsbuild();
  return folder;
}

function queueUrlOf(queueArn: string, ids: PhysicalIds): string {
  const queue = [...ids.values()].find(({ attributes }) => attributes.Arn === queueArn);
  if (!queue) throw new Error(`The local stack has no queue ${queueArn}`);
  return queue.ref;
}
