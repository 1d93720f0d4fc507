import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { on } from "node:events";
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SQSEvent } from "aws-lambda";
import * as z from "zod";
import { bundleFunctions } from "../infra/bundle.ts";
import { seedCurrencies } from "../infra/seed.ts";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { BATCH_PATH } from "../lib/http/batch.ts";
import { SELF_SERVICE } from "../lib/http/permissions.ts";
import type { HttpEvent } from "../lib/http/route.ts";
import { BATCH_MAX } from "../lib/http/schemas.ts";
import { setting } from "../lib/runtime/config.ts";
import { mapEventSource } from "../localstack/eventSourceMapping.ts";
import { serveKeySet } from "../localstack/identityProvider.ts";
import { provision } from "../localstack/provision.ts";
import { useStageWithQueues } from "../scripts/target.ts";
import { httpEvent } from "../testkit/events.ts";
import { template } from "../testkit/template.ts";
import { startCountedEngines } from "./awsUsage.ts";
import { createUser, createUsers, TOKENS } from "./workloads.ts";

export const STAGE = "bench";
/** What Lambda gives to V8's generations of 512 MB: 5 % and 90 %. */
const V8_FLAGS = ["--max-semi-space-size=25", "--max-old-space-size=460"];
const DEPLOYED = {
  POWERTOOLS_LOG_LEVEL: "INFO",
  POWERTOOLS_SERVICE_NAME: "antler-prod",
  POWERTOOLS_METRICS_NAMESPACE: "Antler",
};

/** CPU time in milliseconds: of the import, and of the whole process before its first event. */
const started = z.object({ importMs: z.number(), startMs: z.number() });
const invocation = z.object({
  cpuMs: z.number(),
  logBytes: z.number(),
  memoryMb: z.number(),
  response: z.optional(z.unknown()),
});
export type Invocation = z.output<typeof invocation>;

/** Starts a function in a process of its own, in the environment of a deployed stage. */
async function startLambda(module: string) {
  const env = { ...process.env, ...DEPLOYED };
  const child = fork(join(import.meta.dirname, "lambdaProcess.mjs"), [module], { execArgv: V8_FLAGS, env });
  const messages = on(child, "message", { close: ["exit"] });
  const receive = async () => (await messages.next()).value?.[0];
  return {
    ...started.parse(await receive()),
    async invoke(event: object): Promise<Invocation> {
      child.send(event);
      return invocation.parse(await receive());
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}

/** Starts engines with tables, queues and a key set, and points this process's environment at them. */
export async function startCountedLedger() {
  const cleanUp = new AsyncDisposableStack();
  const engines = cleanUp.use(await startCountedEngines());
  Object.assign(process.env, engines.environment);
  await provision(template(STAGE));
  await useStageWithQueues(STAGE);
  await seedCurrencies(setting("CURRENCIES_TABLE"));
  const keySet = cleanUp.adopt(await serveKeySet(), ({ stop }) => stop());
  Object.assign(process.env, {
    JWT_JWKS_URL: keySet.url,
    JWT_ISSUER: TOKENS.issuer,
    JWT_AUDIENCE: TOKENS.audience,
    SELF_SERVICE: SELF_SERVICE.join(","),
  });
  return { ...engines, [Symbol.asyncDispose]: () => cleanUp.disposeAsync() };
}

/** Bundles every function and starts a ledger for them. */
export async function startFunctionBench() {
  const cleanUp = new AsyncDisposableStack();
  const folder = cleanUp.use(mkdtempDisposableSync(join(tmpdir(), "antler-functions-")));
  const bundles = await bundleFunctions(folder.path);
  const engines = cleanUp.use(await startCountedLedger());
  /** Starts the function of this name in serverless.yml, or of this module. */
  const start = async (name: string) =>
    cleanUp.use(await startLambda(bundles.find((bundle) => bundle.name === name)?.file ?? name));
  return { bundles, engines, start, [Symbol.asyncDispose]: () => cleanUp.disposeAsync() };
}

export interface CommandLoad {
  readonly commands: number;
  /** The most that the queue delivers to one invocation. */
  readonly batch: number;
  readonly users: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The two functions on a command's path. */
interface CommandFunctions {
  accept(event: HttpEvent): Promise<Invocation>;
  consume(event: SQSEvent): Promise<Invocation>;
}

/** A request of a movement. */
export interface MovementRequest {
  readonly token: string;
  /** As in serverless.yml, below the user, such as `holds/{id}/captures`. */
  readonly path: string;
  readonly pathParameters: { readonly userId: string; readonly id?: string };
  readonly body: object;
}

/** Sends deposits through the functions in the places of API Gateway and of Lambda's event source mapping. */
export async function passCommands(load: CommandLoad, functions: CommandFunctions) {
  const users = await createUsers(load.users);
  const body = { currency: "USD", amount: "12.34", reference: "order-20261123-000042", metadata: load.metadata };
  const requests: MovementRequest[] = [];
  while (requests.length < load.commands) {
    requests.push(...users.map(({ userId, token }) => ({ token, path: "deposits", pathParameters: { userId }, body })));
  }
  return passRequests(requests, { records: load.commands, batch: load.batch }, functions);
}

/** Batches of deposits. */
export interface BatchLoad {
  readonly batches: number;
  /** In each batch of {@link BATCH_MAX} commands. */
  readonly users: number;
  /** The most that the queue delivers to one invocation. */
  readonly batch: number;
}

/** As {@link passCommands}, with the commands in batches. Each has users of its own. */
export async function passBatches({ batches, users, batch }: BatchLoad, { accept, consume }: CommandFunctions) {
  const { token } = await createUser("operator", ADMIN_SCOPE);
  const accepted: Invocation[] = [];
  for (let index = 0; index < batches; index++) {
    const userIds = Array.from({ length: users }, () => `bench-${randomUUID()}`);
    const commands = Array.from({ length: BATCH_MAX }, (_, place) => {
      const command = { type: "deposit", userId: userIds[place % users], idempotencyKey: randomUUID() };
      return { ...command, currency: "USD", amount: "12.34", reference: "order-20261123-000042" };
    });
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify({ commands });
    const invoked = await accept(httpEvent({ method: "POST", path: BATCH_PATH, headers, body }));
    batchAccepted.parse(JSON.parse(batchApiResponse.parse(invoked.response).body));
    accepted.push(invoked);
  }
  return { accepted, consumed: await consumeAll({ records: batches * users, batch }, consume) };
}

const batchApiResponse = z.object({ statusCode: z.literal(200), body: z.string() });
const batchAccepted = z.object({ results: z.array(z.object({ status: z.literal(202) })).length(BATCH_MAX) });
const acceptedResponse = z.object({ statusCode: z.literal(202), body: z.string() });
const acceptedBody = z.object({ id: z.string() });
const batchResponse = z.object({ batchItemFailures: z.array(z.unknown()).max(0) });

/**
 * As {@link passCommands}, for any requests.
 *
 * @param load `records`: what the queue delivers, the credits that decisions emit included
 * @returns `ids`: of the requests' transactions
 */
export async function passRequests(
  requests: readonly MovementRequest[],
  load: { readonly records: number; readonly batch: number },
  { accept, consume }: CommandFunctions,
) {
  const accepted: Invocation[] = [];
  const ids: string[] = [];
  for (const { token, path, pathParameters, body } of requests) {
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
    };
    const route = { method: "POST", path: `/v1/users/{userId}/${path}`, pathParameters: { ...pathParameters } };
    const invoked = await accept(httpEvent({ ...route, headers, body: JSON.stringify(body) }));
    const response = acceptedResponse.parse(invoked.response);
    ids.push(acceptedBody.parse(JSON.parse(response.body)).id);
    accepted.push(invoked);
  }
  return { accepted, ids, consumed: await consumeAll(load, consume) };
}

/** Invokes the consumer until it has got this many records. */
async function consumeAll(
  load: { readonly records: number; readonly batch: number },
  consume: CommandFunctions["consume"],
): Promise<readonly Invocation[]> {
  const queue = { queueUrl: setting("COMMANDS_QUEUE_URL"), queueArn: "", region: "us-east-1" };
  const consumed: Invocation[] = [];
  let decided = 0;
  const done = Promise.withResolvers<void>();
  const consumeBatch = async (event: SQSEvent) => {
    const invoked = await consume(event);
    batchResponse.parse(invoked.response);
    consumed.push(invoked);
    decided += event.Records.length;
    if (decided === load.records) done.resolve();
    return invoked.response;
  };
  const source = { ...queue, batchSize: load.batch, maximumConcurrency: 1 };
  const stop = mapEventSource(source, (event) => consumeBatch(event).catch(done.reject));
  await done.promise.finally(stop);
  return consumed;
}
