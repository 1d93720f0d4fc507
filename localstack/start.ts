import { accessSync, constants, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readArguments } from "../scripts/command.ts";
import { startDynamo, startSqs } from "./engines.ts";
import { serveKeySet } from "./identityProvider.ts";
import { isPortFree } from "./ports.ts";
import { startProgram } from "./process.ts";
import { awsEnvironment, readSettings, SettingError, type Settings } from "./settings.ts";

const USAGE = `Usage: npm start

The whole ledger on this machine, until Ctrl-C. All settings are in the environment: README.md lists them.`;

readArguments({ usage: USAGE });
const ROOT = join(import.meta.dirname, "..");
const READY_TIMEOUT_MS = 60_000;
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
  await refuseTakenPorts(settings);
  if (settings.DATA_DIR) prepareFolder(settings.DATA_DIR);
  const home = join(ROOT, ".antler", `api-${settings.API_PORT}`);
  mkdirSync(home, { recursive: true });
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
    stopWhenEnded(dynamo.ended, logFile);
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
  stopWhenEnded(api.ended, logFile);

  await untilHealthy(settings);
  console.log(welcome(settings, logFile));
}

async function refuseTakenPorts(settings: Settings): Promise<void> {
  const { API_PORT, API_HOST, METRICS_PORT, METRICS_HOST, AWS_PORT, DYNAMODB_PORT, AWS_ENDPOINT_URL } = settings;
  const wanted = [
    { name: "API_PORT", port: API_PORT, host: API_HOST },
    { name: "METRICS_PORT", port: METRICS_PORT, host: METRICS_HOST },
    ...(AWS_ENDPOINT_URL
      ? []
      : [
          { name: "AWS_PORT", port: AWS_PORT, host: "127.0.0.1" },
          { name: "DYNAMODB_PORT", port: DYNAMODB_PORT, host: "127.0.0.1" },
        ]),
  ];
  for (const { name, port, host } of wanted) {
    if (!(await isPortFree(port, host))) throw new SettingError(`Port ${port} is taken: set ${name} to a free one`);
  }
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new SettingError(`DATA_DIR=${folder}: can't be written (${error instanceof Error ? error.message : error})`);
  }
}

function stopWhenEnded(ended: Promise<string>, logFile: string): void {
  ended.then((how) => {
    if (stopping) return undefined;
    console.error(`${how}. The end of ${logFile}:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
    return stopAll(1);
  });
}

/** Somebody else's SQS and DynamoDB may start at the same time as this. */
async function untilReachable(endpoint: string): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadlineMs) {
    try {
      await fetch(endpoint, { signal: AbortSignal.timeout(5000) });
      return;
    } catch {
      // It does not listen yet.
    }
    await setTimeout(200);
  }
  throw new SettingError(`AWS_ENDPOINT_URL=${endpoint}: nothing answered there for ${READY_TIMEOUT_MS / 1000} s`);
}

async function untilHealthy({ API_PORT }: Settings): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadlineMs) {
    try {
      const response = await fetch(`http://127.0.0.1:${API_PORT}/v1/health`);
      if (response.ok) return;
    } catch {
      // It does not listen yet.
    }
    await setTimeout(50);
  }
  throw new Error(`The API did not get healthy within ${READY_TIMEOUT_MS / 1000} s`);
}

function welcome(settings: Settings, logFile: string): string {
  const { API_PORT, METRICS_PORT, AWS_ENDPOINT_URL, AWS_PORT, DYNAMODB_PORT, DATA_DIR } = settings;
  const api = `http://localhost:${API_PORT}`;
  const kept = DATA_DIR ? `kept in ${DATA_DIR}` : "in memory; set DATA_DIR to keep them";
  return `
Antler is ready.

  API          ${api}    (try it at ${api}/docs)
  SQS          ${AWS_ENDPOINT_URL ?? `http://127.0.0.1:${AWS_PORT}`}
  DynamoDB     ${AWS_ENDPOINT_URL ?? `http://127.0.0.1:${DYNAMODB_PORT}`}
  Metrics      http://localhost:${METRICS_PORT}/metrics
  Data         ${AWS_ENDPOINT_URL ? "where AWS_ENDPOINT_URL says" : kept}
  Log          ${logFile}

Paste this into a second terminal, in this folder:

  TOKEN=$(npm run -s token -- alice)
  curl -s ${api}/v1/users/alice/deposits -H "Authorization: Bearer $TOKEN" \\
    -H "Content-Type: application/json" -H "Idempotency-Key: first-deposit" -H "Prefer: wait=5" \\
    -d '{"currency":"USD","amount":"100.00"}'
  curl -s ${api}/v1/users/alice/balances -H "Authorization: Bearer $TOKEN"

Ctrl-C stops everything.
`;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (!stopping) void stopAll(0);
  });
}

try {
  await start();
} catch (error) {
  if (!stopping) {
    console.error(error instanceof SettingError ? error.message : error);
    await stopAll(1);
  }
}
