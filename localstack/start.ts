import { openSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { CommandError, isClear, readArguments } from "../scripts/command.ts";
import { dynamoAnswers, launchDynamo, prepareStream, startSqs } from "./engines.ts";
import { lockFolder, temporaryFolderOf } from "./folder.ts";
import { type SignInSettings, serveIdentityProvider } from "./identityProvider.ts";
import { onOrphaned } from "./orphan.ts";
import { type Program, startProgram } from "./process.ts";
import {
  awsEnvironment,
  hostInUrl,
  isLoopback,
  readSettings,
  SettingError,
  type Settings,
  withoutProxy,
} from "./settings.ts";
import { findPortProblem, type PortSetting, portIsTaken, READY_TIMEOUT_MS, statusOf, untilReady } from "./tcp.ts";

const USAGE = `Usage: npm start

Runs the whole ledger on this machine. It ends on Ctrl-C, or when its parent or the reader of its output ends. All settings are environment variables: README.md lists them.`;

readArguments({ usage: USAGE });
const ROOT = join(import.meta.dirname, "..");
const LOG_END_CHARACTERS = 2000;
const API_PORTS = ["API_PORT", "METRICS_PORT"] as const;
const DYNAMO_PORTS = ["DYNAMODB_PORT"] as const;
/** Of the console and the command line, at the local identity provider. */
const CLIENT_ID = "antler-local";
const stops: (() => unknown)[] = [];
let stopping = false;

/** Stops everything in reverse order of its start, then ends this process. */
async function stopAll(exitCode: number): Promise<never> {
  stopping = true;
  for (const stop of stops.reverse()) await stop();
  process.exit(exitCode);
}

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const { API_PORT, AWS_ENDPOINT_URL, DATA_DIR } = settings;
  // This process and the API, which inherits the variable, must reach the stack's servers directly.
  process.env.no_proxy = withoutProxy(settings, process.env);
  const home = join(ROOT, ".antler", `api-${API_PORT}`);
  stops.push(lockFolder(home, home, portIsTaken("API_PORT", API_PORT)));
  const enginePorts = AWS_ENDPOINT_URL ? [] : (["AWS_PORT", ...DYNAMO_PORTS] as const);
  const problem = await findPortProblem(settings, [...API_PORTS, ...enginePorts]);
  if (problem) throw new SettingError(problem);
  if (DATA_DIR) {
    const name = `DATA_DIR=${DATA_DIR}`;
    stops.push(lockFolder(DATA_DIR, name, `${name}: another stack uses it`));
  }
  const logFile = join(home, "stack.log");
  const buildFolder = join(home, "build");
  stops.push(() => rmSync(buildFolder, { recursive: true, force: true }));
  const { folder: temporaryFolder, remove } = temporaryFolderOf(home);
  stops.push(remove);
  const log = openSync(logFile, "w");

  /** Waits until a program is ready. From then on its end ends the stack. */
  const supervise = async (program: Program, isReady: () => Promise<boolean>, ports: readonly PortSetting[]) => {
    stops.push(() => program.stop());
    const fail = async (reason: string): Promise<never> => {
      // Another process can take a port between the check above and its use.
      const problem = await findPortProblem(settings, ports);
      const logEnd = readFileSync(logFile, "utf8").slice(-LOG_END_CHARACTERS);
      throw new CommandError(problem ?? `${reason}. The end of ${logFile}:\n${logEnd}`);
    };
    const reason = await untilReady(program.name, isReady, program.ended);
    if (reason) await fail(reason);
    program.ended.then(fail).catch(stopWithError);
  };

  if (AWS_ENDPOINT_URL) {
    await untilReachable(AWS_ENDPOINT_URL);
  } else {
    const sqs = await startSqs(settings);
    stops.push(() => sqs.stop());
    const dynamo = launchDynamo(settings, process.env, log, temporaryFolder);
    await supervise(dynamo, () => dynamoAnswers(settings), DYNAMO_PORTS);
    prepareStream(settings, temporaryFolder);
  }
  const identityProvider = settings.JWT_JWKS_URL ? undefined : await serveIdentityProvider(signInSettings(settings));
  if (identityProvider) stops.push(() => identityProvider.stop());

  const api = startProgram(
    "The API",
    [
      process.execPath,
      createRequire(import.meta.url).resolve("serverless/bin/serverless.js"),
      ...["offline", "start", "--stage", "local", "--lambdaPort", "0"],
      ...["--host", settings.API_HOST, "--httpPort", String(API_PORT)],
    ],
    {
      ...process.env,
      ...awsEnvironment(settings),
      ANTLER_BUILD_DIR: relative(ROOT, buildFolder),
      // An external engine's stream can live longer than this stack.
      ANTLER_STATE_DIR: AWS_ENDPOINT_URL ? home : (DATA_DIR ?? temporaryFolder),
      JWT_JWKS_URL: settings.JWT_JWKS_URL ?? identityProvider?.url,
      JWT_ISSUER: settings.JWT_ISSUER,
      JWT_AUDIENCE: settings.JWT_AUDIENCE,
      ...(identityProvider && {
        OIDC_ISSUER: identityProvider.issuer,
        // Only this machine reaches the provider: on another one, the console asks for a token.
        OIDC_CLIENT_ID: isLoopback(settings.API_HOST) ? CLIENT_ID : "",
        OIDC_SCOPE: `openid ${ADMIN_SCOPE}`,
        OIDC_AUDIENCE: "",
        OIDC_TOKEN_ORIGIN: "",
      }),
      EVENTS: settings.EVENTS,
      LOG_LEVEL: settings.LOG_LEVEL,
      // serverless-offline logs four notices a request.
      SLS_LOG_LEVEL: { DEBUG: "debug", INFO: "notice", WARN: "warning", ERROR: "error" }[settings.LOG_LEVEL],
      METRICS_PORT: String(settings.METRICS_PORT),
      METRICS_HOST: settings.METRICS_HOST,
      POWERTOOLS_DEV: "false",
    },
    log,
  );
  const healthUrl = `http://${hostInUrl(settings.API_HOST)}:${API_PORT}/v1/health`;
  await supervise(api, async () => (await statusOf(healthUrl)) === 200, API_PORTS);
  console.log(welcome(settings, logFile));
}

/** The console is at the addresses of the API. */
function signInSettings({ API_HOST, API_PORT, JWT_ISSUER, JWT_AUDIENCE }: Settings): SignInSettings {
  const hosts = new Set(["localhost", "127.0.0.1", hostInUrl(API_HOST)]);
  const redirectUris = [...hosts].map((host) => `http://${host}:${API_PORT}/`);
  return { clientId: CLIENT_ID, redirectUris, issuer: JWT_ISSUER, audience: JWT_AUDIENCE };
}

/** External engines may start at the same time as this stack. */
async function untilReachable(endpoint: string): Promise<void> {
  const setting = `AWS_ENDPOINT_URL=${endpoint}`;
  const isReachable = async () => (await statusOf(endpoint)) !== undefined;
  if (await isReachable()) return;
  console.log(`Waiting until ${setting} answers …`);
  if (await untilReady(setting, isReachable)) {
    throw new SettingError(`${setting}: nothing answered there for ${READY_TIMEOUT_MS / 1000} s`);
  }
}

function welcome(settings: Settings, logFile: string): string {
  const { AWS_ENDPOINT_URL, AWS_PORT, DYNAMODB_PORT, DATA_DIR } = settings;
  const at = (host: string, port: number) => `http://${hostInUrl(host).replace("127.0.0.1", "localhost")}:${port}`;
  const api = at(settings.API_HOST, settings.API_PORT);
  const embedded = DATA_DIR ? `stored in ${DATA_DIR}` : "deleted at the end; set DATA_DIR to store it";
  return `
Antler is ready.

  Console      ${api}
  API          ${api}    (try it at ${api}/docs)
  SQS, SNS     ${AWS_ENDPOINT_URL ?? `http://127.0.0.1:${AWS_PORT}`}
  DynamoDB     ${AWS_ENDPOINT_URL ?? `http://127.0.0.1:${DYNAMODB_PORT}`}
  Metrics      ${at(settings.METRICS_HOST, settings.METRICS_PORT)}/metrics
  Data         ${AWS_ENDPOINT_URL ? `stored by ${AWS_ENDPOINT_URL}` : embedded}
  Log          ${logFile}

Open ${api}, sign in as bob and deposit 1 USD. In a second window sign in as alice, deposit
100 USD and send bob a part of it: both windows show the transfer.

Or paste this into a second terminal, in this folder:

  TOKEN=$(npm run -s token -- alice)
  curl -s "${api}/v1/users/alice/deposits" -H "Authorization: Bearer $TOKEN" \\
    -H "Content-Type: application/json" -H "Idempotency-Key: first-deposit" -H "Prefer: wait=5" \\
    -d '{"currency":"USD","amount":"100.00"}'
  curl -s "${api}/v1/users/alice/balances" -H "Authorization: Bearer $TOKEN"

Ctrl-C stops everything.
`;
}

/** Prints why the stack can't run, and ends it. */
async function stopWithError(error: unknown): Promise<void> {
  if (stopping) return;
  console.error(isClear(error) ? error.message : error);
  await stopAll(1);
}

function stopOnce(): void {
  if (!stopping) void stopAll(0);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stopOnce);
stops.push(onOrphaned(stopOnce));

await start().catch(stopWithError);
