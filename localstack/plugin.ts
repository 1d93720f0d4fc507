import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { stop as stopEsbuild } from "esbuild";
import { seedCurrencies } from "../infra/seed.ts";
import type { Serverless, SqsEvent } from "../infra/serverless.ts";
import { measurements } from "../lib/runtime/metrics.ts";
import { limitConcurrency } from "./concurrencyLimiter.ts";
import type { FunctionThread } from "./functionThread.ts";
import { serveMetrics } from "./metrics.ts";
import { type PhysicalIds, provision, resolve } from "./provision.ts";
import { readSettings } from "./settings.ts";

const ROOT = join(import.meta.dirname, "..");

/**
 * Adds to serverless-offline, before the API listens: the template's tables and queues, the currencies, the values of
 * `!Ref` and `!GetAtt` in the functions' environments, the queue's event source mapping, the API's concurrency limit, and
 * metrics for Prometheus.
 */
export default class LocalStackPlugin {
  readonly hooks = {
    "before:offline:start:init": () => this.#start(),
    "before:offline:start:end": () => this.#stop(),
  };

  readonly #serverless: Serverless;
  #stops: (() => unknown)[] = [];

  constructor(serverless: Serverless) {
    this.#serverless = serverless;
  }

  async #start(): Promise<void> {
    const { service } = this.#serverless;
    // The bundles are built, and the running esbuild holds half a gigabyte.
    await stopEsbuild();
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
      },
      readSettings(process.env),
    );
    const stopMappings = Object.entries(service.functions).flatMap(([key, { events }]) =>
      events.flatMap(({ sqs }) => (sqs ? [this.#map(key, sqs, ids)] : [])),
    );
    this.#stops = [...stopMappings, stopMetrics];
  }

  #map(functionKey: string, event: SqsEvent, ids: PhysicalIds): () => Promise<void> {
    const { functions, provider, custom } = this.#serverless.service;
    const { handler = "", environment, timeout = provider.timeout } = functions[functionKey] ?? {};
    const queueArn = String(resolve(event.arn, ids));
    const queue = [...ids.values()].find(({ attributes }) => attributes.Arn === queueArn);
    if (!queue) throw new Error(`The function ${functionKey} reads from a queue that the local stack does not have`);
    const [module, exportName = ""] = handler.split(".");
    const thread: FunctionThread = {
      source: {
        queueUrl: queue.ref,
        queueArn,
        batchSize: event.batchSize,
        maximumConcurrency: event.maximumConcurrency,
        region: provider.region,
      },
      file: join(ROOT, custom["serverless-offline"].location, `${module}${custom.esbuild.outputFileExtension}`),
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
    return async () => {
      worker.postMessage("stop");
      await once(worker, "exit");
    };
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
  }
}
