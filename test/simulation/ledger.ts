import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
  DynamoDBBatchResponse,
  DynamoDBStreamEvent,
  SQSBatchResponse,
  SQSEvent,
} from "aws-lambda";
import { build, type Plugin } from "esbuild";
import type { sqsDeadLetters } from "../../lib/aws/deadLetters.ts";
import type { cachedEndpoints } from "../../lib/aws/endpoints.ts";
import type { Clock, CurrencyList, EventPublisher, LedgerStore } from "../../lib/ledger/ports.ts";
import type { redrive } from "../../lib/ledger/redrive.ts";
import type { DeliverySender, webhookPublisher } from "../../lib/webhooks/publish.ts";
import { currentInvocation } from "./invocation.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The routes that clients call: each one's function and its key in API Gateway. */
export const ROUTES = {
  deposit: { name: "commands", key: "POST /v1/users/{userId}/deposits" },
  withdrawal: { name: "commands", key: "POST /v1/users/{userId}/withdrawals" },
  transfer: { name: "commands", key: "POST /v1/users/{userId}/transfers" },
  hold: { name: "commands", key: "POST /v1/users/{userId}/holds" },
  capture: { name: "commands", key: "POST /v1/users/{userId}/holds/{id}/captures" },
  release: { name: "commands", key: "POST /v1/users/{userId}/holds/{id}/releases" },
  exchange: { name: "commands", key: "POST /v1/users/{userId}/exchanges" },
  reversal: { name: "commands", key: "POST /v1/users/{userId}/transactions/{id}/reversals" },
  status_change: { name: "commands", key: "POST /v1/users/{userId}/status-changes" },
  batch: { name: "commands", key: "POST /v1/batches" },
  balances: { name: "balances", key: "GET /v1/users/{userId}/balances" },
  statements: { name: "statements", key: "GET /v1/users/{userId}/statements" },
  transactions: { name: "transactions", key: "GET /v1/users/{userId}/transactions" },
  transaction: { name: "transaction", key: "GET /v1/users/{userId}/transactions/{id}" },
  holds: { name: "holds", key: "GET /v1/users/{userId}/holds" },
  currencies: { name: "currencies", key: "GET /v1/currencies" },
} as const;
export type Route = keyof typeof ROUTES;
type FunctionName = (typeof ROUTES)[Route]["name"];

type HttpHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

/** The deployed functions, from the handlers to the SDK's clients, with their own module state. */
export interface Ledger extends Record<FunctionName, HttpHandler> {
  consume(event: SQSEvent): Promise<SQSBatchResponse>;
  publish(event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse>;
  sweep(): Promise<void>;
  readonly systemClock: { -readonly [Member in keyof Clock]: Clock[Member] };
  readonly ports: { currencies: CurrencyList; readonly store: LedgerStore };
  readonly sqsDeadLetters: typeof sqsDeadLetters;
  readonly redrive: typeof redrive;
  dynamoCurrencies(clock: Clock): CurrencyList;
  readonly publishers: EventPublisher[];
  readonly webhookPublisher: typeof webhookPublisher;
  readonly cachedEndpoints: typeof cachedEndpoints;
  readonly sqsDeliverySender: DeliverySender;
}

/** A change of a source file that makes a mutant. */
export interface Edit {
  readonly file: string;
  readonly search: string;
  readonly replace: string;
}

const ENTRY = [
  ...[...new Set(Object.values(ROUTES).map(({ name }) => name)), "consume", "publish", "sweep"].map(
    (name) => `export { handler as ${name} } from "./functions/${name}.ts";`,
  ),
  'export { systemClock } from "./lib/runtime/clock.ts";',
  'export { ports } from "./lib/aws/adapters.ts";',
  'export { dynamoCurrencies } from "./lib/aws/currencies.ts";',
  'export { sqsDeadLetters } from "./lib/aws/deadLetters.ts";',
  'export { publishers } from "./lib/aws/publishers.ts";',
  'export { webhookPublisher } from "./lib/webhooks/publish.ts";',
  'export { cachedEndpoints } from "./lib/aws/endpoints.ts";',
  'export { sqsDeliverySender } from "./lib/aws/deliveries.ts";',
  'export { redrive } from "./lib/ledger/redrive.ts";',
].join("\n");

/** Replaces the clients in lib/aws: the simulation of the current invocation answers every call. */
const send = (command: object) => {
  const invocation = currentInvocation.getStore();
  if (!invocation) throw new Error("Only a function can call a service");
  return invocation.simulation.send(invocation, command);
};
const clients = { dynamo: { send }, dynamoDocuments: { send }, sqs: { send }, sns: { send } };
class SQSClient {
  readonly send = send;
}

/** Bytes from the seed. */
function randomBytes(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => currentInvocation.getStore()?.random.int(0, 255) ?? 0));
}

/** What is replaced in packages. The operator's queues have a client of their own. */
const REPLACED: Readonly<Record<string, object>> = {
  "@aws-sdk/client-sqs": { SQSClient },
  "node:crypto": { randomBytes },
};

async function load(path: string): Promise<Record<string, unknown>> {
  if (path === "clients") return clients;
  const loaded: Record<string, unknown> = await import(path);
  return { ...loaded, ...REPLACED[path] };
}

const packages = new Map<string, Record<string, unknown>>();

/**
 * Bundles the functions in memory, with edits applied.
 *
 * @returns creates an instance of the modules, as a cold start does
 */
export async function loadLedger(edits: readonly Edit[] = []): Promise<() => Ledger> {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node24",
    plugins: [editing(edits), sharing],
  });
  const code = outputFiles[0]?.text ?? "";
  const evaluate = compileFunction(code, ["shared", "module", "exports"]);
  const shared = (name: string, member: string) => packages.get(name)?.[member];
  return () => {
    const module = { exports: {} };
    evaluate(shared, module, module.exports);
    const ledger = module.exports as Ledger;
    ledger.systemClock.random = () => currentInvocation.getStore()?.random.next() ?? 0;
    ledger.systemClock.sleep = async (milliseconds) => {
      const invocation = currentInvocation.getStore();
      await invocation?.simulation.sleep(invocation, milliseconds);
    };
    return ledger;
  };
}

/** Applies edits while esbuild loads the files. */
function editing(edits: readonly Edit[]): Plugin {
  return {
    name: "mutants",
    setup({ onLoad, onEnd }) {
      const done = new Set<Edit>();
      onLoad({ filter: /\.ts$/ }, async ({ path, namespace }) => {
        const mine = edits.filter(({ file }) => path === `${ROOT}${file}`);
        if (namespace !== "file" || mine.length === 0) return undefined;
        let contents = await readFile(path, "utf8");
        for (const edit of mine) {
          contents = applyEdit(contents, edit);
          done.add(edit);
        }
        return { contents, loader: "ts" };
      });
      onEnd(() => {
        const missed = edits.filter((edit) => !done.has(edit));
        if (missed.length > 0) throw new Error(`No bundle has ${missed.map(({ file }) => file).join(", ")}`);
      });
    },
  };
}

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w$]+|\S/g;

/**
 * Replaces code that has the same tokens: white space and a comma before a closing bracket do not matter.
 *
 * @throws Error unless the code occurs exactly once
 */
export function applyEdit(source: string, { file, search, replace }: Edit): string {
  const tokens = search.match(TOKEN) ?? [];
  const pattern = tokens
    .map((token) => (/^[)\]}]$/.test(token) ? `,?\\s*\\${token}` : token.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")))
    .join("\\s*");
  const found = [...source.matchAll(new RegExp(pattern, "g"))];
  if (found.length !== 1) throw new Error(`${file} has ${JSON.stringify(search)} ${found.length} times`);
  return source.replace(new RegExp(pattern), () => replace);
}

/** Loads packages once for all instances: they are large and hold no state of the ledger. */
const sharing: Plugin = {
  name: "shared packages",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^./]/ }, ({ path }) => ({ path, namespace: "shared", sideEffects: false }));
    onResolve({ filter: /\/(clients|documents|sns)\.ts$/ }, () => ({
      path: "clients",
      namespace: "shared",
      sideEffects: false,
    }));
    onLoad({ filter: /.*/, namespace: "shared" }, async ({ path }) => {
      const loaded = await load(path);
      packages.set(path, loaded);
      const members = Object.keys(loaded).filter((member) => member !== "module.exports");
      const lines = members.map(
        (member, index) =>
          `const member${index} = /* @__PURE__ */ shared(${JSON.stringify(path)}, ${JSON.stringify(member)});\n` +
          `export { member${index} as ${member} };`,
      );
      return { contents: lines.join("\n") };
    });
  },
};
