import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DescribeTableCommand, ResourceNotFoundException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { Resource } from "../../infra/serverless.ts";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { type EventView, eventSchema } from "../../lib/http/schemas.ts";
import { serveKeySet } from "../../localstack/identityProvider.ts";
import { startProgram } from "../../localstack/process.ts";
import { readArguments } from "../../scripts/command.ts";
import { EventQueue } from "../../scripts/eventQueue.ts";
import { findEventsTopic, useStageWithQueues } from "../../scripts/target.ts";
import { balanceOf, clientOf, movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { freePorts } from "../../testkit/ports.ts";
import { sendRaw } from "../../testkit/queue.ts";
import { installEmulator, startEmulator } from "./emulator.ts";
import { GAPS, REQUESTS_AT_ONCE } from "./gaps.ts";

const USAGE = `Usage: npm run test:deploy

Deploys the service with the serverless CLI to an emulator of AWS that runs without Docker, tests it there, deploys it again,
and removes it. No process keeps running when it ends. Needs Python 3.`;

readArguments({ usage: USAGE });
const ROOT = join(import.meta.dirname, "../..");
const STAGE = "dev";
const LOG_TAIL_CHARACTERS = 4000;
/** On a busy machine. The emulator runs the sweep for the first time a minute after the deploy, as AWS does. */
const EVENTUALLY_MS = 180_000;

const { PORT } = await freePorts("PORT");
const home = join(ROOT, ".antler", `deploy-${PORT}`);
/** Outside the repository, whose package.json would turn the emulator's scripts into ES modules. */
const temporary = mkdtempSync(join(tmpdir(), "antler-deploy-"));
const endpoint = `http://127.0.0.1:${PORT}`;
const emulatorLog = join(home, "emulator.log");
const packageFolder = join(home, "package");
const startedAtMs = performance.now();
const stops: (() => unknown)[] = [];
let stopping = false;

/** The emulator and the CLI inherit nothing but the path from the caller's environment. */
const bare = {
  PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
  HOME: temporary,
  TMPDIR: temporary,
};
const aws = {
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
};

async function main(): Promise<void> {
  await step("install the emulator", installEmulator);
  const keySet = await serveKeySet();
  stops.push(() => keySet.stop());
  const provider = { JWT_JWKS_URL: keySet.url, JWT_ISSUER: "antler-deploy-test", JWT_AUDIENCE: "antler" };
  Object.assign(process.env, aws, provider, {
    AWS_PROFILE: "",
    AWS_ENDPOINT_URL_SQS: "",
    AWS_ENDPOINT_URL_SNS: "",
    AWS_ENDPOINT_URL_DYNAMODB: "",
  });
  const deployment = { ...bare, ...aws, ...provider, ANTLER_BUILD_DIR: relative(ROOT, join(home, "build")) };

  const emulator = await step("start the emulator", () =>
    startEmulator(Number(PORT), bare, openSync(emulatorLog, "w")),
  );
  stops.push(() => emulator.stop());
  emulator.ended.then((how) => (stopping ? undefined : fail(new Error(how))));

  await step("refuse to deploy without an identity provider", async () => {
    const { JWT_ISSUER, ...incomplete } = deployment;
    await assert.rejects(
      serverless("refused-deploy", ["deploy"], incomplete),
      /Not deployed: set JWT_ISSUER to the values/,
    );
  });
  await step("deploy", () => deploy("first-deploy", deployment));
  const apiUrl = await step("find the API in the stack's outputs", () => findApi(deployment));
  await step("run the end-to-end tests against it", async () => {
    const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
    const files = ["test/end-to-end/ledger.test.ts", "test/end-to-end/http.test.ts", "test/end-to-end/console.test.ts"];
    const output = await program(
      "end-to-end",
      [vitest, "run", "--project", "end-to-end", "--no-file-parallelism", ...files],
      { ...bare, ...provider, API_URL: apiUrl, API_REQUESTS_AT_ONCE: String(REQUESTS_AT_ONCE), NO_COLOR: "1" },
    );
    return /Tests .*/.exec(output)?.[0];
  });
  await step("dead-letter a message, list it, redrive it, requeue", () => operate(deployment));

  await step("receive the event of a deposit, and publish it again", () => receiveEvent(apiUrl, deployment));

  const hold = await step("transfer, and hold money for a moment", () => transferAndHold(apiUrl));

  const wallet = walletOf(apiUrl);
  const deposit = movement("USD", "12.34");
  const before = await step("change two currencies as an operator, and deposit", async () => {
    await change("currencies", { code: "USD" }, "name", "The operator's dollar");
    await change("currencies", { code: "KWD" }, "enabled", false);
    await posted(wallet.deposit(deposit));
    await posted(wallet.withdraw(movement("USD", "2.34")));
    return Array.fromAsync(wallet.transactions());
  });
  await step("deploy again, with other settings", () => deploy("second-deploy", { ...deployment, LOG_LEVEL: "WARN" }));
  await step("check that the address, the currencies and the wallet are unchanged", async () => {
    assert.equal(await findApi(deployment), apiUrl);
    const currencies = await clientOf(apiUrl, newUser()).currencies();
    assert.equal(currencies.find(({ code }) => code === "USD")?.name, "The operator's dollar");
    assert.equal(
      currencies.find(({ code }) => code === "KWD"),
      undefined,
    );
    assert.equal(currencies.length, 6);
    assert.deepEqual(await Array.fromAsync(wallet.transactions()), before);
    assert.equal(await balanceOf(wallet, "USD"), "10.00");
    assert.equal((await wallet.deposit(deposit)).replayed, true);
  });
  await step("wait for the scheduled sweep to expire the hold, and sweep as an operator", async () => {
    await eventually(async () => assert.equal(await hold.status(), "expired"));
    const output = await program("sweep", ["scripts/sweep.ts", "--stage", STAGE], deployment);
    assert.equal(output, "Sent again: 0 credits, 0 expiries\n");
  });
  await step("verify", async () => {
    const output = await program("verify", ["scripts/verify.ts", "--stage", STAGE], { ...bare, ...aws });
    return output.split("\n")[0];
  });
  await step("remove the stack", async () => {
    await serverless("remove", ["remove"], deployment);
    for (const table of ["currencies", "wallets", "transactions"]) {
      const TableName = `antler-${STAGE}-${table}`;
      await assert.rejects(dynamoDocuments.send(new DescribeTableCommand({ TableName })), ResourceNotFoundException);
    }
    await assert.rejects(useStageWithQueues(STAGE), /There is no queue/);
    await assert.rejects(findEventsTopic(STAGE), /There is no topic/);
    await assert.rejects(clientOf(apiUrl, newUser()).health());
  });
}

/** Packages the service, removes what the emulator does not support, and deploys the rest. */
async function deploy(name: string, environment: Readonly<Record<string, string>>): Promise<string> {
  await serverless(`${name}-package`, ["package", "--package", packageFolder], environment);
  const removed = removeGaps(join(packageFolder, "serverless-state.json"));
  const output = await serverless(name, ["deploy", "--package", packageFolder], environment);
  assert.match(output, /Creating or updating the stage dev in us-east-1/);
  assert.match(output, /own token may ask for: deposits, withdrawals, transfers, holds, /);
  assert.match(output, /The console's address is https:.*\/\nThe API's address is https:/);
  return removed.join("\n");
}

function removeGaps(stateFile: string): string[] {
  const state: DeployState = JSON.parse(readFileSync(stateFile, "utf8"));
  const { Resources } = state.service.provider.compiledCloudFormationTemplate;
  const removed = Object.entries(Resources).flatMap(([logicalId, resource]) => {
    const gap = GAPS.find(({ leavesOut }) => leavesOut(resource));
    if (!gap) return [];
    delete Resources[logicalId];
    return [`without ${logicalId}: ${gap.reason}`];
  });
  writeFileSync(stateFile, JSON.stringify(state));
  return removed;
}

interface DeployState {
  readonly service: {
    readonly provider: { readonly compiledCloudFormationTemplate: { readonly Resources: Record<string, Resource> } };
  };
}

async function findApi(environment: Readonly<Record<string, string>>): Promise<string> {
  const output = await serverless("info", ["info", "--verbose"], environment);
  const [, id] = /^ *HttpApiId: (\S+)$/m.exec(output) ?? [];
  assert.ok(id, `The stack has no output HttpApiId: ${output}`);
  return `${endpoint}/_aws/execute-api/${id}`;
}

/** Sends a message that can't be parsed, and uses the operator's tools on it. */
async function operate(environment: Readonly<Record<string, string>>): Promise<void> {
  await useStageWithQueues(STAGE);
  await sendRaw(process.env.COMMANDS_QUEUE_URL ?? "", "alice", "{not json");
  const tool = (name: string, ...args: string[]) =>
    program(name, [`scripts/${name}.ts`, ...args, "--stage", STAGE], environment);
  await eventually(async () =>
    assert.match(await tool("dlq", "list"), /\(no command\) {2}malformed\nDead-letter messages: 1\n/),
  );
  assert.match(await tool("dlq", "redrive"), /Resent: 1\n/);
  await eventually(async () => assert.match(await tool("dlq", "list"), /Dead-letter messages: 1\n/));
  assert.match(await tool("requeue", "--older-than", "1h"), /resent: 0 \(users: 0\)/);
}

/** Subscribes a queue to the topic, and deposits. */
async function receiveEvent(apiUrl: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const queue = new EventQueue(await findEventsTopic(STAGE));
  await queue.open(`antler-${STAGE}-deploy-test.fifo`);
  try {
    const wallet = walletOf(apiUrl);
    const { userId } = wallet;
    const { replayed: _, ...deposit } = await posted(wallet.deposit(movement("USD", "12.34")));
    const own: EventView[] = [];
    await eventually(async () => {
      const events = (await queue.receive(AbortSignal.timeout(20_000), 1)).map((body) =>
        eventSchema.parse(JSON.parse(body)),
      );
      own.push(...events.filter(({ data }) => data.userId === userId));
      assert.equal(own.length, 1);
    });
    assert.equal(own[0]?.id, `${userId}/1`);
    assert.equal(own[0]?.source, `antler-${STAGE}`);
    assert.deepEqual(own[0]?.data, deposit);
    const republish = (...args: string[]) =>
      program("republish", ["scripts/republish.ts", ...args, "--stage", STAGE], environment);
    assert.equal(await republish("--user", userId, "--from", "1"), "Published: 1 events (users: 1)\n");
    assert.equal(await republish("--discarded"), "The failure queue has no messages\n");
  } finally {
    await queue.close();
  }
}

/** Transfers, and makes a hold whose time is over due for the sweep. */
async function transferAndHold(apiUrl: string) {
  const [alice, bob] = [walletOf(apiUrl), walletOf(apiUrl)];
  await posted(alice.deposit(movement("USD", "10.00")));
  await posted(bob.deposit(movement("USD", "1.00")));
  const { transfer } = await posted(alice.transfer({ ...movement("USD", "4.00"), to: bob.userId }));
  assert.equal(transfer.status, "credited");
  assert.equal(await balanceOf(bob, "USD"), "5.00");

  const expiresAt = new Date(Date.now() + 1000).toISOString();
  const { id } = await posted(alice.hold({ ...movement("USD", "1.00"), expiresAt }));
  await change("transactions", { userId: alice.userId, id }, "dueAt", expiresAt);
  return {
    async status() {
      const hold = await alice.transaction(id);
      return "hold" in hold ? hold.hold?.status : undefined;
    },
  };
}

async function eventually(check: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + EVENTUALLY_MS; Date.now() < deadline; await setTimeout(500)) {
    if (
      await check().then(
        () => true,
        () => false,
      )
    )
      return;
  }
  await check();
}

async function change(table: string, Key: Record<string, string>, attribute: string, value: string | boolean) {
  await dynamoDocuments.send(
    new UpdateCommand({
      TableName: `antler-${STAGE}-${table}`,
      Key,
      UpdateExpression: "SET #attribute = :value",
      ExpressionAttributeNames: { "#attribute": attribute },
      ExpressionAttributeValues: { ":value": value },
    }),
  );
}

function serverless(name: string, args: readonly string[], environment: Readonly<Record<string, string>>) {
  const cli = createRequire(import.meta.url).resolve("serverless/bin/serverless.js");
  return program(name, [cli, ...args, "--stage", STAGE], environment);
}

/**
 * Runs a Node program to its end.
 *
 * @returns what it printed
 */
async function program(
  name: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const logFile = join(home, `${name}.log`);
  const log = openSync(logFile, "w");
  const running = startProgram(name, [process.execPath, ...args], environment, log);
  closeSync(log);
  stops.push(() => running.stop());
  const how = await running.ended;
  stops.pop();
  const output = readFileSync(logFile, "utf8");
  if (!how.endsWith("exit code 0")) throw new Error(`${how}:\n${output}`);
  return output;
}

/** Runs a step and prints its duration and its result. */
async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const beganAtMs = performance.now();
  const result = await work().catch((error: unknown) => {
    if (!stopping) console.error(`✗ ${title.padEnd(64)} ${seconds(beganAtMs)}\n`);
    throw error;
  });
  console.log(`✓ ${title.padEnd(64)} ${seconds(beganAtMs)}`);
  if (typeof result === "string" && !result.startsWith(endpoint)) console.log(result.replaceAll(/^(?=.)/gm, "    "));
  return result;
}

const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1000).toFixed(1).padStart(6)} s`;

/** Stops what was started, in reverse order. */
async function stopAll(): Promise<void> {
  stopping = true;
  for (const stop of stops.reverse()) await stop();
  rmSync(temporary, { recursive: true, force: true });
}

async function fail(error: unknown): Promise<never> {
  await stopAll();
  console.error(error instanceof Error ? error.message : error);
  console.error(`\nThe end of the emulator's log (all logs are in ${relative(ROOT, home)}):`);
  console.error(tail(emulatorLog));
  process.exit(1);
}

function tail(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(-LOG_TAIL_CHARACTERS);
  } catch {
    return "(the emulator did not start)";
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, async () => {
    if (stopping) return;
    await stopAll();
    rmSync(home, { recursive: true, force: true });
    process.exit(1);
  });
}

mkdirSync(home, { recursive: true });
try {
  await main();
  await stopAll();
  rmSync(home, { recursive: true, force: true });
  console.log(`\nThe deploy works. ${seconds(startedAtMs).trim()}`);
} catch (error) {
  if (!stopping) await fail(error);
}
