import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { awsEnvironment, readSettings } from "../../localstack/settings.ts";
import { createClient } from "../../packages/client/src/index.ts";
import { balanceOf, movement, newUser, posted, walletOf } from "../../testkit/client.ts";
import { localEventQueue, receiveEvents } from "../../testkit/eventQueue.ts";
import { awsProxyForTest, folderForTest, listenForTest, stackForTest } from "../../testkit/perTest.ts";
import { freePorts, freeStackPorts } from "../../testkit/ports.ts";
import { commandOf, processesWith, refusedStart, untilNoProcessWith } from "../../testkit/processes.ts";
import { collect, launch, run, type Stack } from "../../testkit/stack.ts";

const ROOT = join(import.meta.dirname, "../..");
const onLinux = process.platform === "linux";
const hasIPv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === "::1"));
const hasJava = spawnSync("java", ["-version"]).status === 0;

/** @returns what starts a stack, and finds the processes of that stack */
function marked(environment: Readonly<Record<string, string>> = {}) {
  const ANTLER_TEST = randomUUID();
  return { marker: `ANTLER_TEST=${ANTLER_TEST}`, environment: { ANTLER_TEST, ...environment } };
}

/** Runs the requests that a stack prints. */
function runPrintedRequests(stack: Stack): void {
  const lines = stack.output().split("\n");
  const commands = lines.slice(
    lines.findIndex((line) => line.includes("TOKEN=")),
    lines.indexOf("Ctrl-C stops everything."),
  );
  const { stdout } = spawnSync("sh", ["-c", commands.join("\n")], { cwd: ROOT, encoding: "utf8" });
  expect(stdout).toMatch(/"status":"posted".*"balanceAfter":"100\.00"/);
  expect(stdout).toMatch(/{"currency":"USD","amount":"100\.00",[^}]*}]/);
}

describe("npm start refuses, in one line and with exit code 1,", () => {
  test("a port that is taken", async () => {
    const port = String(await listenForTest(createServer()));
    for (const name of ["API_PORT", "AWS_PORT", "DYNAMODB_PORT", "METRICS_PORT"]) {
      expect(await refusedStart({ [name]: port })).toEqual({
        code: 1,
        output: `Port ${port} is taken: set ${name} to a free one\n`,
      });
    }
  });

  test.each<[Record<string, string>, RegExp]>([
    [{ API_PORT: "http" }, /^API_PORT=http: must be a port number\n$/],
    [{ DYNAMODB_ENGINE: "oracle" }, /^DYNAMODB_ENGINE=oracle: .+\n$/],
    [{ AWS_ENDPOINT_URL: "localhost" }, /^AWS_ENDPOINT_URL=localhost: .+\n$/],
    [{ AWS_TRANSPORT: "fast" }, /^AWS_TRANSPORT=fast: .+\n$/],
    [{ LOG_LEVEL: "loud" }, /^LOG_LEVEL=loud: .+\n$/],
    [{ DYNAMODB_ENGINE: "dynamodb-local", PATH: "/no/java" }, /^DynamoDB Local needs Java 17 or later: .+\n$/],
  ])("the settings %j", async (settings, message) => {
    const { code, output } = await refusedStart(settings);
    expect(code).toBe(1);
    expect(output).toMatch(message);
  });

  test("a DATA_DIR whose database can't be opened", async () => {
    const folder = folderForTest();
    writeFileSync(join(folder, "dynoxide.db"), "This is not a database. ".repeat(100));
    const { code, output } = await refusedStart({ DATA_DIR: folder, DYNAMODB_ENGINE: "dynoxide" });
    expect(code).toBe(1);
    expect(output).toMatch(/^DynamoDB \(dynoxide\) ended with exit code 1\. The end of \S+stack\.log:\n/);
    expect(output).not.toMatch(/^ +at /m);
  });

  test.each(onLinux ? ["/dev/null/antler", "/proc/antler/data"] : ["/dev/null/antler"])(
    "a DATA_DIR that can't be created: %s",
    async (folder) => {
      expect(await refusedStart({ DATA_DIR: folder })).toEqual({
        code: 1,
        output: expect.stringMatching(`^DATA_DIR=${folder}: can't be used \\(.+\\)\n$`),
      });
    },
  );

  test("a checkout that it can't write to", async () => {
    const { FOLDER, LOG } = await freePorts("FOLDER", "LOG");
    const folder = join(ROOT, ".antler", `api-${FOLDER}`);
    const home = join(ROOT, ".antler", `api-${LOG}`);
    // An earlier stack on the same port leaves its log.
    const clear = () => {
      for (const path of [folder, home]) rmSync(path, { recursive: true, force: true });
    };
    clear();
    onTestFinished(clear);
    mkdirSync(join(home, "stack.log"), { recursive: true });
    writeFileSync(folder, "");
    expect(await refusedStart({ API_PORT: FOLDER })).toEqual({
      code: 1,
      output: expect.stringMatching(`^${folder}: can't be used \\(ENOTDIR: .+\\)\n$`),
    });
    expect(await refusedStart({ API_PORT: LOG })).toEqual({
      code: 1,
      output: expect.stringMatching(`^EISDIR: .+ '${home}/stack.log'\n$`),
    });
  });

  test("two settings with one port, and an AWS_PORT with no port after it", async () => {
    const { PORT } = await freePorts("PORT");
    expect(await refusedStart({ API_PORT: PORT, METRICS_PORT: PORT })).toEqual({
      code: 1,
      output: `API_PORT and METRICS_PORT are both ${PORT}: set one of them to another port\n`,
    });
    expect(await refusedStart({ AWS_PORT: "65535", DYNAMODB_PORT: "" })).toEqual({
      code: 1,
      output: expect.stringMatching(/^AWS_PORT=65535: .+\n$/),
    });
  });

  test("the second of two that start at once on the same ports", async () => {
    const ports = await freeStackPorts();
    const starts = await Promise.allSettled([stackForTest(ports), stackForTest(ports)]);
    expect(starts.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(starts.flatMap((start) => (start.status === "rejected" ? [String(start.reason)] : []))).toEqual([
      `Error: The stack ended with 1: Port ${ports.API_PORT} is taken: set API_PORT to a free one\n`,
    ]);
  });
});

describe("a stack", () => {
  test("listens on the address that is set, prints it, and sends nothing through a proxy", async () => {
    const proxied: unknown[] = [];
    const proxy = createHttpServer(({ url }, response) => {
      proxied.push(url);
      response.destroy();
    });
    proxy.on("connect", ({ url }, socket) => {
      proxied.push(url);
      socket.destroy();
    });
    const stack = await stackForTest({
      API_HOST: hasIPv6 ? "::1" : "0.0.0.0",
      METRICS_HOST: "0.0.0.0",
      NODE_USE_ENV_PROXY: "1",
      HTTP_PROXY: `http://127.0.0.1:${await listenForTest(proxy)}`,
      NO_PROXY: "example.com",
      no_proxy: "",
    });
    runPrintedRequests(stack);
    const [, metrics = ""] = /Metrics +(\S+)/.exec(stack.output()) ?? [];
    expect((await fetch(metrics)).status).toBe(200);
    expect(proxied).toEqual([]);
  });

  test("uses the SQS and DynamoDB at AWS_ENDPOINT_URL and starts none, beside another stack with its own data", async () => {
    const owner = await stackForTest();
    const { url } = await awsProxyForTest(owner);
    const { marker, environment } = marked({ AWS_ENDPOINT_URL: url });
    const guest = await stackForTest(environment);
    const user = newUser();
    await posted(walletOf(guest.apiUrl, user).deposit(movement("USD", "1.00")));
    expect(await balanceOf(walletOf(owner.apiUrl, user), "USD")).toBe("1.00");
    expect(await balanceOf(walletOf(inject("apiUrl"), user), "USD")).toBe("0.00");
    if (onLinux) {
      expect(processesWith(marker).map(commandOf)).not.toContainEqual(
        expect.arrayContaining([expect.stringMatching(/\/dynoxide$/)]),
      );
    }
    expect(await run("scripts/verify.ts", [], { AWS_ENDPOINT_URL: url })).toMatchObject({ code: 0 });
  });

  test("prints requests that work when they are pasted, and leaves no process behind after Ctrl-C", async () => {
    const { marker, environment } = marked();
    const stack = await stackForTest(environment);
    runPrintedRequests(stack);
    if (onLinux) expect(processesWith(marker).length).toBeGreaterThan(2);
    expect(await stack.stop()).toBe(0);
    if (onLinux) await untilNoProcessWith(marker);
  });

  test.runIf(onLinux)("makes its bundles itself, and leaves no process behind after SIGTERM to npm", async () => {
    const { marker, environment } = marked({ ...(await freeStackPorts()), ANTLER_BUNDLES: "" });
    const npm = launch(environment, ["npm", "start", "--ignore-scripts"]);
    const output = collect(npm);
    while (!output().includes("Antler is ready")) await once(npm.stdout, "data");
    npm.kill("SIGTERM");
    expect(await once(npm, "exit")).toEqual([0, null]);
    await untilNoProcessWith(marker);
  });

  test.runIf(onLinux)("leaves no process behind when the reader of its output ends", async () => {
    const { marker, environment } = marked(await freeStackPorts());
    const pipeline = launch(environment, ["sh", "-c", '"$0" localstack/start.ts | head -n 3', process.execPath]);
    expect(await text(pipeline.stdout)).toBe("\nAntler is ready.\n\n");
    await untilNoProcessWith(marker);
  });

  test.runIf(onLinux)("ends, and prints the reason, when its database dies", async () => {
    const { marker, environment } = marked();
    const stack = await stackForTest(environment);
    const database = processesWith(marker).find((pid) => commandOf(pid)[0]?.endsWith("/dynoxide"));
    process.kill(Number(database), "SIGKILL");
    expect((await once(stack.process, "exit"))[0]).toBe(1);
    expect(stack.output()).toContain("DynamoDB (dynoxide) ended");
    await untilNoProcessWith(marker);
  });

  test.each(hasJava ? ["dynoxide", "dynamodb-local"] : ["dynoxide"])(
    "keeps its data in DATA_DIR across restarts on %s, publishes every decision in order, and leaves no process behind when it is killed",
    async (engine) => {
      const { marker, environment } = marked({ DATA_DIR: folderForTest(), DYNAMODB_ENGINE: engine });
      const first = await stackForTest(environment);
      const user = newUser();
      const queue = localEventQueue(first.environment);
      await queue.open("events.fifo");
      const amount = "1.000000000000000001";
      await posted(walletOf(first.apiUrl, user).deposit(movement("ETH", amount)));
      expect(await refusedStart({ DATA_DIR: first.environment.DATA_DIR ?? "" })).toEqual({
        code: 1,
        output: `DATA_DIR=${first.environment.DATA_DIR}: another stack uses it\n`,
      });
      await first.stop();
      const second = await stackForTest(first.environment);
      const wallet = walletOf(second.apiUrl, user);
      expect(await balanceOf(wallet, "ETH")).toBe(amount);
      await posted(wallet.deposit(movement("USD", "1.00")));
      const events = await receiveEvents(queue, 2);
      await queue.close();
      expect(events.map(({ data }) => data)).toEqual((await Array.fromAsync(wallet.transactions())).reverse());
      second.process.kill("SIGKILL");
      if (onLinux) await untilNoProcessWith(marker);
    },
  );
});

describe("npm run verify", () => {
  test("passes on a correct ledger, and names the user and the discrepancy otherwise", async () => {
    const stack = await stackForTest();
    const alice = walletOf(stack.apiUrl, newUser("alice"));
    await posted(alice.deposit(movement("USD", "10.00")));
    await posted(alice.withdraw(movement("USD", "3.00")));
    expect(await run("scripts/verify.ts", [], stack.environment)).toEqual({
      code: 0,
      output: "1 wallets, 2 posted, 0 rejected, 0 pending\n  USD  7.00\nEvery wallet matches its history.\n",
    });

    Object.assign(process.env, awsEnvironment(readSettings(stack.environment)));
    await dynamoDocuments.send(
      new UpdateCommand({
        TableName: "antler-local-wallets",
        Key: { userId: alice.userId },
        UpdateExpression: "SET available = :available",
        ExpressionAttributeValues: { ":available": { USD: 7_000n } },
      }),
    );
    const { code, output } = await run("scripts/verify.ts", [], stack.environment);
    expect(code).toBe(1);
    expect(output).toContain(`WRONG_BALANCE: user ${alice.userId} has 7000 minor units of USD`);
    expect(output).toContain("difference 6300");
  });

  test("reports in one line that no stack runs", async () => {
    const { code, output } = await run("scripts/verify.ts", [], await freePorts("AWS_PORT", "DYNAMODB_PORT"));
    expect(code).toBe(1);
    expect(output).toMatch(/^The ledger can't be read: .+\n$/);
  });
});

describe("npm run token", () => {
  test("prints a token that the stack accepts", async () => {
    const { output } = await run("localstack/token.ts", ["alice"], {});
    const client = createClient({ apiUrl: inject("apiUrl"), token: output.trim() });
    expect(await client.wallet("alice").balances()).toMatchObject({ userId: "alice" });
  });
});
