import { readFile } from "node:fs/promises";
import { join } from "node:path";
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
import { transform } from "esbuild";
import type { sqsDeadLetters } from "../../lib/aws/deadLetters.ts";
import type { cachedEndpoints } from "../../lib/aws/endpoints.ts";
import type { Clock, CurrencyList, EventPublisher, LedgerStore } from "../../lib/ledger/ports.ts";
import type { redrive } from "../../lib/ledger/redrive.ts";
import type { DeliverySender, webhookPublisher } from "../../lib/webhooks/publish.ts";
import { currentInvocation } from "./invocation.ts";

const ROOT = join(import.meta.dirname, "../..");

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

/** The file of each member. */
const MEMBERS: Readonly<Record<string, string>> = {
  systemClock: "lib/runtime/clock.ts",
  ports: "lib/aws/adapters.ts",
  dynamoCurrencies: "lib/aws/currencies.ts",
  sqsDeadLetters: "lib/aws/deadLetters.ts",
  publishers: "lib/aws/publishers.ts",
  webhookPublisher: "lib/webhooks/publish.ts",
  cachedEndpoints: "lib/aws/endpoints.ts",
  sqsDeliverySender: "lib/aws/deliveries.ts",
  redrive: "lib/ledger/redrive.ts",
};
const FUNCTIONS = [...new Set(Object.values(ROUTES).map(({ name }) => name)), "consume", "publish", "sweep"] as const;

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

type Exports = Record<string, unknown>;

/** A source file as a CommonJS module. */
interface SourceModule {
  evaluate(require: (specifier: string) => Exports, module: { exports: Exports }): void;
  /** Files and packages that it imports. */
  readonly imports: ReadonlyMap<string, string>;
}

/** Compiled once, by file. A mutant has modules of its own only for what it edits. */
const unedited = new Map<string, Promise<SourceModule>>();
/** Loaded once, by name: they are large and hold no state of the ledger. */
const packages = new Map<string, Exports>([["clients", clients]]);

/**
 * Loads the functions' modules, with edits applied.
 *
 * @returns creates an instance of the modules, as a cold start does
 */
export async function loadLedger(edits: readonly Edit[] = []): Promise<() => Ledger> {
  const modules = new Map<string, SourceModule>();
  const files = [...FUNCTIONS.map((name) => `functions/${name}.ts`), ...Object.values(MEMBERS)];
  for (const file of files) await collect(file, edits, modules);
  const missed = edits.filter(({ file }) => !modules.has(file));
  if (missed.length > 0) throw new Error(`No function has ${missed.map(({ file }) => file).join(", ")}`);
  return () => instantiate(modules);
}

/** Adds the module of a file, and those of all files that it imports. */
async function collect(file: string, edits: readonly Edit[], modules: Map<string, SourceModule>): Promise<void> {
  if (modules.has(file)) return;
  const own = edits.filter((edit) => edit.file === file);
  const module = await (own.length > 0 ? compile(file, own) : uneditedModule(file));
  modules.set(file, module);
  for (const imported of module.imports.values()) {
    if (imported.endsWith(".ts")) await collect(imported, edits, modules);
    else if (!packages.has(imported))
      packages.set(imported, { __esModule: true, ...(await import(imported)), ...REPLACED[imported] });
  }
}

function uneditedModule(file: string): Promise<SourceModule> {
  const module = unedited.get(file) ?? compile(file, []);
  unedited.set(file, module);
  return module;
}

async function compile(file: string, edits: readonly Edit[]): Promise<SourceModule> {
  const source = edits.reduce(applyEdit, await readFile(join(ROOT, file), "utf8"));
  const { code } = await transform(source, { loader: "ts", format: "cjs", platform: "node", target: "node24" });
  const specifiers = [...code.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, specifier = ""]) => specifier);
  return {
    evaluate: compileFunction(code, ["require", "module"]) as SourceModule["evaluate"],
    imports: new Map(specifiers.map((specifier) => [specifier, resolve(specifier, file)])),
  };
}

/** @returns the name of a package, or a file below the repository */
function resolve(specifier: string, importer: string): string {
  if (/\/(clients|documents|sns)\.ts$/.test(specifier)) return "clients";
  return specifier.startsWith(".") ? join(importer, "..", specifier) : specifier;
}

function instantiate(modules: ReadonlyMap<string, SourceModule>): Ledger {
  const loaded = new Map<string, { exports: Exports }>();
  const load = (name: string): Exports => {
    const known = packages.get(name) ?? loaded.get(name)?.exports;
    if (known) return known;
    const module = modules.get(name);
    if (!module) throw new Error(`The ledger imports ${name}, which was not read`);
    const own = { exports: {} };
    loaded.set(name, own);
    module.evaluate((specifier) => load(module.imports.get(specifier) ?? ""), own);
    return own.exports;
  };
  const handlers = FUNCTIONS.map((name) => [name, load(`functions/${name}.ts`).handler]);
  const members = Object.entries(MEMBERS).map(([name, file]) => [name, load(file)[name]]);
  const ledger = Object.fromEntries([...handlers, ...members]) as Ledger;
  ledger.systemClock.random = () => currentInvocation.getStore()?.random.next() ?? 0;
  ledger.systemClock.sleep = async (milliseconds) => {
    const invocation = currentInvocation.getStore();
    await invocation?.simulation.sleep(invocation, milliseconds);
  };
  return ledger;
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
