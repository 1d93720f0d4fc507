import { openSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readArguments } from "../scripts/command.ts";
import { startDynamo, startSqs } from "./engines.ts";
import { lockFolder } from "./folder.ts";
import { serveKeySet } from "./identityProvider.ts";
import { onOrphaned } from "./orphan.ts";
import { findPortProblem, portIsTaken } from "./ports.ts";
import { type Program, startProgram } from "./process.ts";
import { awsEnvironment, hostInUrl, readSettings, SettingError, type Settings, withoutProxy } from "./settings.ts";

const USAGE = `Usage: npm start

The whole ledger on this machine, until Ctrl-C, or until its parent or the reader of its output ends. All settings are in the environment: README.md lists them.`;

readArguments({ usage: USAGE });
const ROOT = join(import.meta.dirname, "..");
const READY_TIMEOUT_MS = 60_000;
const REACHABLE_TIMEOUT_MS = 2000;
const API_PORTS = ["API_PORT", "METRICS_PORT"] as const;
const DYNAMO_PORTS = ["DYNAMODB_PORT"] as const;
const stops: (() => unknown)[] = [];
let stopping = false;

/** Ends what was started, the last first, then this process. */
async function stopAll(exitCode: number): Promise<never> {
  stopping = true;
  for (const stop of stops.reverse()) await stop();
  process.exit(exitCode);
}

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const { API_PORT, DATA_DIR } = settings;
  // For the calls of this process, and of the API's, which inherits it.
  process.env.no_proxy = withoutProxy(settings, process.env);
  const home = join(ROOT, ".antler", `api-${API_PORT}`);
  stops.push(lockFolder(home, home, portIsTaken("API_PORT", API_PORT)));
  const enginePorts = settings.AWS_ENDPOINT_URL ? [] : (["AWS_PORT", ...DYNAMO_PORTS] as const);
  const problem = await findPortProblem(settings, [...API_PORTS, ...enginePorts]);
  if (problem) throw new SettingError(problem);
  if (DATA_DIR) {
    const name = `DATA_DIR=${DATA_DIR}`;
    stops.push(lockFolder(DATA_DIR, name, `${name}: another stack uses it`));
  }
  const logFile = join(home, "stack.log");
  const buildFolder = join(home, "build");
  stops.push(() => rmSync(buildFolder, { recursive: true, force: true }));
  const log = openSync(logFile, "w");

  if (settings.AWS_ENDPOINT_URL) {
    await untilReachable(settings.AWS_ENDPOINT_URL);
  } else {
    const sqs = await startSqs(settings);
    stops.push(() => sqs.stop());
    const dynamo = await startDynamo(settings, process.env, log);
    stops.push(() => dynamo.stop());
    stopWhenEnded(dynamo, settings, DYNAMO_PORTS, logFile);
  }
  const keySet = settings.JWT_JWKS_URL ? undefined : await serveKeySet();
  if (keySet) stops.push(() => keySet.stop());

  const api = startProgram(
    "The API",
    [
      process.execPath,
      createRequire(import.meta.url).resolve("serverless/bin/serverless.js"),
      ...["offline", "start", "--stage", "local", "--lambdaPort", "0"],
      ...["--host", settings.API_HOST, "--httpPort", String(settings.API_PORT)],
    ],
    {
      ...process.env,
      ...awsEnvironment(settings),
      ANTLER_BUILD_DIR: relative(ROOT, buildFolder),
      JWT_JWKS_URL: settings.JWT_JWKS_URL ?? keySet?.url,
      JWT_ISSUER: settings.JWT_ISSUER,
      JWT_AUDIENCE: settings.JWT_AUDIENCE,
      LOG_LEVEL: settings.LOG_LEVEL,
      // The API's own lines, four a request, are notices.
      SLS_LOG_LEVEL: { DEBUG: "debug", INFO: "notice", WARN: "warning", ERROR: "error" }[settings.LOG_LEVEL],
      METRICS_PORT: String(settings.METRICS_PORT),
      METRICS_HOST: settings.METRICS_HOST,
      POWERTOOLS_DEV: "false",
    },
    log,
  );
  stops.push(() => api.stop());
  stopWhenEnded(api, settings, API_PORTS, logFile);

  await untilHealthy(settings);
  console.log(welcome(settings, logFile));
}

function stopWhenEnded(
  { ended }: Program,
  settings: Settings,
  ports: Parameters<typeof findPortProblem>[1],
  logFile: string,
): void {
  ended.then(async (how) => {
    // Another process can take a port between the check of the ports and their use.
    const problem = await findPortProblem(settings, ports);
    if (stopping) return;
    console.error(problem ?? `${how}. The end of ${logFile}:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
    await stopAll(1);
  });
}

/** SQS and DynamoDB of another owner may start at the same time as this. */
async function untilReachable(endpoint: string): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  let reported = false;
  while (Date.now() < deadlineMs) {
    try {
      await fetch(endpoint, { signal: AbortSignal.timeout(REACHABLE_TIMEOUT_MS) });
      return;
    } catch {
      if (!reported) console.log(`Waiting until AWS_ENDPOINT_URL=${endpoint} answers …`);
      reported = true;
    }
    await setTimeout(200);
  }
  throw new SettingError(`AWS_ENDPOINT_URL=${endpoint}: nothing answered there for ${READY_TIMEOUT_MS / 1000} s`);
}

async function untilHealthy({ API_HOST, API_PORT }: Settings): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadlineMs) {
    try {
      const response = await fetch(`http://${hostInUrl(API_HOST)}:${API_PORT}/v1/health`);
      if (response.ok) return;
    } catch {
      // It does not listen yet.
    }
    await setTimeout(50);
  }
  throw new Error(`The API did not get healthy within ${READY_TIMEOUT_MS / 1000} s`);
}

function welcome(settings: Settings, logFile: string): string {
  const { AWS_ENDPOINT_URL, AWS_PORT, DYNAMODB_PORT, DATA_DIR } = settings;
  const at = (host: string, port: number) => `http://${hostInUrl(host).replace("127.0.0.1", "localhost")}:${port}`;
  const api = at(settings.API_HOST, settings.API_PORT);
  const kept = DATA_DIR ? `kept in ${DATA_DIR}` : "in memory; set DATA_DIR to keep them";
  return `
Antler is ready.

  API          ${api}    (try it at ${api}/docs)
  SQS          ${AWS_ENDPOINT_URL ?? `http://127.0.0.1:${AWS_PORT}`}
  DynamoDB     ${AWS_ENDPOINT_URL ?? `http://127.0.0.1:${DYNAMODB_PORT}`}
  Metrics      ${at(settings.METRICS_HOST, settings.METRICS_PORT)}/metrics
  Data         ${AWS_ENDPOINT_URL ? "where AWS_ENDPOINT_URL says" : kept}
  Log          ${logFile}

Paste this into a second terminal, in this folder:

  TOKEN=$(npm run -s token -- alice)
  curl -s "${api}/v1/users/alice/deposits" -H "Authorization: Bearer $TOKEN" \\
    -H "Content-Type: application/json" -H "Idempotency-Key: first-deposit" -H "Prefer: wait=5" \\
    -d '{"currency":"USD","amount":"100.00"}'
  curl -s "${api}/v1/users/alice/balances" -H "Authorization: Bearer $TOKEN"

Ctrl-C stops everything.
`;
}

function stopOnce(): void {
  if (!stopping) void stopAll(0);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stopOnce);
stops.push(onOrphaned(stopOnce));

try {
  await start();
} catch (error) {
  if (!stopping) {
    // The system's own errors name the call and the file.
    const isClear = error instanceof SettingError || (error instanceof Error && "syscall" in error);
    console.error(isClear ? error.message : error);
    await stopAll(1);
  }
}
