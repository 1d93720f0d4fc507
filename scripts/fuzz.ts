import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import { issueToken } from "../localstack/identityProvider.ts";
import { KILL_WITH_PARENT } from "../localstack/process.ts";
import { startStack } from "../testkit/stack.ts";
import { CommandError, readArguments } from "./command.ts";

const USAGE = `Usage: npm run fuzz

Starts a stack and runs schemathesis on its OpenAPI document: valid requests, invalid requests and sequences of calls. Exits with 1
if a response is a 5xx or not in the document. Every run sends the same requests. Needs Python 3.10 or later.`;

const SCRIPTS = import.meta.dirname;
const VENV = join(SCRIPTS, "../.venv-fuzz");
const REQUIREMENTS = join(SCRIPTS, "fuzz-requirements.txt");
const EXAMPLES_MAX = 100;
const ALL_MAX_MS = 900_000;
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "response_headers_conformance",
];

function install(): void {
  const installed = join(VENV, "installed.txt");
  const wanted = readFileSync(REQUIREMENTS, "utf8");
  if (textOf(installed) === wanted) return;
  console.log("Installing schemathesis into .venv-fuzz …");
  run("python3", ["-m", "venv", "--clear", VENV]);
  run(join(VENV, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]);
  writeFileSync(installed, wanted);
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function run(program: string, args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: "inherit" });
  if (status !== 0) throw new CommandError(`${program} ${args.join(" ")}: ${error?.message ?? `exit code ${status}`}`);
}

/** @returns whether every response was as documented */
async function fuzz(
  name: string,
  apiUrl: string,
  scope: string | undefined,
  config: readonly string[],
  options: readonly string[] = [],
) {
  const token = await issueToken({ subject: "fuzz", scope, issuer: "antler-local", audience: "antler" });
  console.log(`\n${name}`);
  const child = spawn(
    "sh",
    [
      ...[KILL_WITH_PARENT, join(VENV, "bin/schemathesis")],
      ...config,
      ...["run", `${apiUrl}/openapi.json`, "--header", `Authorization: Bearer ${token}`],
      ...["--checks", CHECKS.join(",")],
      ...["--max-examples", String(EXAMPLES_MAX), "--generation-deterministic", "--continue-on-failure"],
      ...["--request-timeout", "30", "--warnings", "off", "--no-color"],
      ...options,
    ],
    // Schemathesis creates a folder in its working directory.
    { cwd: VENV, stdio: ["pipe", "inherit", "inherit"], timeout: Math.max(1, deadlineMs - Date.now()) },
  );
  const [code] = await once(child, "exit");
  if (child.killed) console.error(`Not finished after ${ALL_MAX_MS / 1000} s`);
  return code === 0;
}

readArguments({ usage: USAGE, usesLocalSettings: true });
install();
const deadlineMs = Date.now() + ALL_MAX_MS;
const stack = await startStack({ JWT_ISSUER: "antler-local", JWT_AUDIENCE: "antler" });
try {
  const { apiUrl } = stack;
  const ownWallet = await fuzz("A user's token, on the user's own wallet", apiUrl, undefined, [
    "--config-file",
    join(SCRIPTS, "fuzz-own-wallet.toml"),
  ]);
  const anyWallet = await fuzz(
    `A token with the scope ${ADMIN_SCOPE}, on any wallet`,
    apiUrl,
    ADMIN_SCOPE,
    [],
    [
      // Its stack would deliver events to the hosts of invented URLs.
      "--exclude-operation-id",
      "createEndpoint",
    ],
  );
  const noWallet = await fuzz("A user's token, on any wallet", apiUrl, undefined, []);
  process.exitCode = ownWallet && anyWallet && noWallet ? 0 : 1;
} finally {
  await stack.stop();
}
