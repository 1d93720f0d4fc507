import Lambda from "serverless-offline/lambda";
import { seedCurrencies } from "../infra/seed.ts";
import type { Serverless, SqsEvent } from "../infra/serverless.ts";
import { mapEventSource } from "./eventSourceMapping.ts";
import { serveMetrics } from "./metrics.ts";
import { type PhysicalIds, provision, resolve } from "./provision.ts";
import { readSettings } from "./settings.ts";

/**
 * Gives serverless-offline what it lacks for this service: the template's tables and queues, the currencies, names in
 * place of `!Ref` and `!GetAtt` in the functions' environments, the queue's event source mapping, and figures for
 * Prometheus. All of it stands before the API listens.
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
    const { service } = this.#serverless;
    const definition = service.functions[functionKey];
    const lambda = new Lambda(this.#serverless, { ...service.custom["serverless-offline"], lambdaPort: 0 });
    lambda.create([{ functionKey, functionDefinition: definition }]);
    const queueArn = String(resolve(event.arn, ids));
    const queue = [...ids.values()].find(({ attributes }) => attributes.Arn === queueArn);
    if (!queue) throw new Error(`The function ${functionKey} reads from a queue that the local stack has not made`);
    return mapEventSource(
      {
        queueUrl: queue.ref,
        queueArn,
        batchSize: event.batchSize,
        maximumConcurrency: event.maximumConcurrency,
        region: service.provider.region,
      },
      (sqsEvent) => {
        const instance = lambda.get(functionKey);
        instance.setEvent(sqsEvent);
        return instance.runHandler();
      },
    );
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#stops.map((stop) => stop()));
  }
}
