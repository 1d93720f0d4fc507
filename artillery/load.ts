import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import * as z from "zod";
import { readEnvironment, readSettings } from "../localstack/settings.ts";
import { createClient } from "../packages/client/src/index.ts";
import { command, wholeNumber } from "../scripts/command.ts";
import { percentile } from "../scripts/statistics.ts";
import { type LoadOutcomes, type Money, readOutcomes } from "./outcomes.ts";
import { readReport } from "./report.ts";
import { type LoadSetup, openWallets } from "./wallets.ts";

const USAGE = `Usage: npm run load

Sends the load of artillery/scenarios.yml to a running stack. Exits with 1 unless every response was as expected, every accepted
command was decided, every transfer has ended, and all money is accounted for. All settings are environment variables:

  API_URL         the stack's URL; by default the stack of npm start with this API_PORT
  LOAD_RATE       requests a second
  LOAD_SECONDS    duration of the load
  PUSHGATEWAY_URL push gateway for Artillery's metrics`;

const WALLETS = 200;
const HEALTH_TIMEOUT_MS = 10_000;
const DECIDED_WITHIN_MS = 60_000;

const SCENARIOS_FILE = join(import.meta.dirname, "scenarios.yml");
const OUTPUT_DIR = join(import.meta.dirname, "../.antler");
const REPORT_FILE = join(OUTPUT_DIR, "load-report.json");
const LOG_FILE = join(OUTPUT_DIR, "load.log");

const scenarios = z.object({
  config: z.object({
    target: z.string(),
    phases: z.tuple([z.looseObject({ duration: z.int(), arrivalRate: z.int() })], z.looseObject({})),
  }),
});

const httpUrl = z.url({ protocol: /^https?$/, error: "must be an HTTP URL" });
const environment = z.object({
  API_PORT: z.string().optional(),
  API_URL: httpUrl.optional(),
  LOAD_RATE: wholeNumber(1).optional(),
  LOAD_SECONDS: wholeNumber(1).optional(),
  PUSHGATEWAY_URL: httpUrl.optional(),
});

/** The scenarios' `config` with the overrides from the environment. */
function readConfig() {
  const { API_PORT, API_URL, LOAD_RATE, LOAD_SECONDS, PUSHGATEWAY_URL } = readEnvironment(environment, process.env);
  const ownTarget = API_PORT && `http://localhost:${readSettings(process.env).API_PORT}`;
  const { target, phases } = scenarios.parse(parse(readFileSync(SCENARIOS_FILE, "utf8"))).config;
  const [first, ...others] = phases;
  const steady = {
    ...first,
    duration: LOAD_SECONDS ?? first.duration,
    ...(LOAD_RATE && { arrivalRate: LOAD_RATE, rampTo: LOAD_RATE }),
  };
  return {
    target: (API_URL ?? ownTarget ?? target).replace(/\/+$/, ""),
    phases: [steady, ...others] as const,
    ...(PUSHGATEWAY_URL && {
      plugins: { "publish-metrics": [{ type: "prometheus", pushgateway: PUSHGATEWAY_URL }] },
    }),
  };
}

function isHealthy(apiUrl: string): Promise<boolean> {
  return createClient({ apiUrl, timeoutMs: HEALTH_TIMEOUT_MS })
    .health()
    .then(
      () => true,
      () => false,
    );
}

/** @returns Artillery's exit code, and the locations of the accepted commands */
async function runArtillery(
  config: object,
  setup: LoadSetup,
): Promise<{ exitCode: number | null; locations: string[] }> {
  const exchange = mkdtempSync(join(tmpdir(), "antler-load-"));
  try {
    const setupFile = join(exchange, "setup.json");
    const acceptedFile = join(exchange, "accepted.txt");
    writeFileSync(setupFile, JSON.stringify(setup), { mode: 0o600 });
    writeFileSync(acceptedFile, "");
    const exitCode = await startArtillery(["--overrides", JSON.stringify({ config })], {
      LOAD_SETUP_FILE: setupFile,
      LOAD_ACCEPTED_FILE: acceptedFile,
    });
    return { exitCode, locations: readFileSync(acceptedFile, "utf8").split("\n").filter(Boolean) };
  } finally {
    rmSync(exchange, { recursive: true });
  }
}

async function startArtillery(options: readonly string[], variables: NodeJS.ProcessEnv): Promise<number | null> {
  const program = fileURLToPath(new URL("bin/run", import.meta.resolve("artillery/package.json")));
  const log = openSync(LOG_FILE, "w");
  const child = spawn(process.execPath, [program, "run", "--output", REPORT_FILE, ...options, SCENARIOS_FILE], {
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      ...variables,
      ARTILLERY_DISABLE_TELEMETRY: "true",
      NO_COLOR: "1",
      // Artillery ignores NO_PROXY: it would send loopback requests to the proxy too.
      HTTP_PROXY: undefined,
    },
  });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const stop = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of signals) process.on(signal, stop);
  const [exitCode] = await once(child, "exit");
  for (const signal of signals) process.off(signal, stop);
  closeSync(log);
  return exitCode;
}

/** Summarizes what the `ensure` plugin printed. */
function describeLimits(log: string): string {
  const checks = log.split("\n").filter((line) => /^(?:ok|fail): /.test(line));
  const broken = checks.filter((line) => line.startsWith("fail")).map((line) => `\n  ${line}`);
  return `Limits       ${checks.length - broken.length} of ${checks.length} met${broken.join("")}`;
}

function describeOutcomes(outcomes: LoadOutcomes): string {
  const { posted, rejected, undecided, unanswered, broken, money } = outcomes;
  return [
    `Posted       ${describeTimes(outcomes.acceptedToPostedMs)} after accepted, by the ledger's clocks`,
    `Credited     ${describeTimes(outcomes.sentToCreditedMs)} after the sender was debited`,
    undecided.length === 0
      ? `Outcomes     every accepted command was decided: ${posted} posted, ${rejected} rejected, in ${WALLETS} wallets`
      : `Outcomes     ${undecided.length} accepted commands were NOT decided, such as ${undecided[0]}`,
    broken.length === 0
      ? "Histories    every command once, no gap"
      : `Histories    ${broken.length} wallets have a gap or a duplicate, such as that of ${broken[0]}`,
    hasAllMoney(outcomes)
      ? `Money        in ${money.size} currencies, the wallets have all that entered the ledger and did not leave it`
      : `Money        ${[...money].map(describeMoney).join("\n             ")}`,
    ...(unanswered > 0 ? [`Unanswered   ${unanswered} commands were decided whose responses never arrived`] : []),
  ].join("\n");
}

function describeTimes(milliseconds: readonly number[]): string {
  const [p50, p95, p99, max] = [50, 95, 99, 100].map((percent) => percentile(milliseconds, percent));
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, max ${max} ms`;
}

function describeMoney([currency, { walletsMinor, inTransitMinor, enteredMinor }]: [string, Money]): string {
  const missingMinor = enteredMinor - walletsMinor - inTransitMinor;
  return `${currency}, minor units: ${walletsMinor} in wallets, ${inTransitMinor} in transit, ${missingMinor} MISSING`;
}

function hasAllMoney({ money }: LoadOutcomes): boolean {
  return [...money.values()].every(
    ({ walletsMinor, inTransitMinor, enteredMinor }) => inTransitMinor === 0n && walletsMinor === enteredMinor,
  );
}

/** @returns whether the load passed */
async function load(): Promise<boolean> {
  const config = readConfig();
  const { target, phases } = config;
  if (!(await isHealthy(target))) {
    console.error(`There is no healthy Antler at ${target}: run npm start, or set API_URL or API_PORT`);
    return false;
  }
  mkdirSync(OUTPUT_DIR, { recursive: true });
  rmSync(REPORT_FILE, { force: true });
  const setup = await openWallets(target, WALLETS);

  const [{ arrivalRate, duration }] = phases;
  console.log(`${arrivalRate} requests a second for ${duration} s to ${target} …\n`);
  const { exitCode, locations } = await runArtillery(config, setup);
  if (!existsSync(REPORT_FILE)) {
    console.error(`Artillery ended without a report: see ${relative(".", LOG_FILE)}`);
    return false;
  }
  const report = readReport(readFileSync(REPORT_FILE, "utf8"));
  console.log(report.text);
  console.log(describeLimits(readFileSync(LOG_FILE, "utf8")));

  const outcomes = await readOutcomes(target, setup.wallets, setup.accepted, locations, DECIDED_WITHIN_MS);
  console.log(describeOutcomes(outcomes));
  console.log(`\nDetails in ${relative(".", REPORT_FILE)} and ${relative(".", LOG_FILE)}`);
  const { undecided, unanswered, broken } = outcomes;
  const isComplete = undecided.length === 0 && unanswered === 0 && broken.length === 0 && hasAllMoney(outcomes);
  return exitCode === 0 && !report.failed && isComplete;
}

await command(
  { usage: USAGE },
  async () => {
    process.exitCode = (await load()) ? 0 : 1;
  },
  true,
);
