import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { dynamo } from "../../lib/aws/clients.ts";
import { Client, newUser, transactionIn } from "../support/client.ts";
import { startFrontOf } from "../support/front.ts";
import { commandOf, processesWith, refusedStart, untilNoProcessWith } from "../support/processes.ts";
import { freePorts, run, type Stack, startStack } from "../support/stack.ts";

const ROOT = join(import.meta.dirname, "../..");
const onLinux = process.platform === "linux";
const hasJava = spawnSync("java", ["-version"]).status === 0;

/** A stack that does not outlive its test. */
async function ownStack(environment: Readonly<Record<string, string>> = {}): Promise<Stack> {
  const stack = await startStack(environment);
  onTestFinished(() => stack.stop().then(() => {}));
  return stack;
}

function dataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("npm start refuses, in one clear line and with exit code 1,", () => {
  test("a port that is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
    });
    const address = server.address();
    const port = String(typeof address === "object" ? address?.port : "");
    for (const name of ["API_PORT", "AWS_PORT", "DYNAMODB_PORT", "METRICS_PORT"]) {
      expect(await refusedStart({ [name]: port })).toEqual({
        code: 1,
        output: `Port ${port} is taken: set ${name} to a free one\n`,
      });
    }
  });

  test.each([
    ["API_PORT", "http", "API_PORT=http: must be a port number\n"],
    ["DYNAMODB_ENGINE", "oracle", /^DYNAMODB_ENGINE=oracle: .+\n$/],
    ["AWS_ENDPOINT_URL", "localhost", /^AWS_ENDPOINT_URL=localhost: .+\n$/],
    ["LOG_LEVEL", "loud", /^LOG_LEVEL=loud: .+\n$/],
  ])("the setting %s=%s", async (name, value, message) => {
    const { code, output } = await refusedStart({ [name]: value });
    expect(code).toBe(1);
    expect(output).toMatch(message);
  });

  test("an engine that needs Java where there is none", async () => {
    const { code, output } = await refusedStart({ DYNAMODB_ENGINE: "dynamodb-local", PATH: "/nowhere" });
    expect(code).toBe(1);
    expect(output).toMatch(/^DynamoDB Local needs Java 17 or later: .+\n$/);
  });

  test("a DATA_DIR that can't be written", async () => {
    const { code, output } = await refusedStart({ DATA_DIR: "/dev/null/antler" });
    expect(code).toBe(1);
    expect(output).toMatch(/^DATA_DIR=\/dev\/null\/antler: .+\n$/);
  });
});

describe("a stack", () => {
  test("prints first requests that work as they are pasted", async () => {
    const stack = await ownStack();
    const lines = stack.output().split("\n");
    const pasted = lines.slice(
      lines.findIndex((line) => line.includes("TOKEN=")),
      lines.indexOf("Ctrl-C stops everything."),
    );
    const { stdout } = spawnSync("sh", ["-c", pasted.join("\n")], { cwd: ROOT, encoding: "utf8" });
    expect(stdout).toMatch(/"status":"posted".*"balanceAfter":"100\.00"/);
    expect(stdout).toContain('{"currency":"USD","amount":"100.00"}]');
  });

  test("uses the SQS and DynamoDB that AWS_ENDPOINT_URL names, and starts none", async () => {
    const owner = await ownStack();
    const endpoint = await startFrontOf(owner);
    const marker = `ANTLER_TEST=${randomUUID()}`;
    const guest = await ownStack({ AWS_ENDPOINT_URL: endpoint, ANTLER_TEST: marker.slice("ANTLER_TEST=".length) });
    const user = newUser();
    transactionIn(await new Client(guest.apiUrl, user).deposit("USD", "1.00", { wait: 10 }), 201);
    expect(await new Client(owner.apiUrl, user).balance("USD")).toBe("1.00");
    if (onLinux) {
      expect(processesWith(marker).map(commandOf)).not.toContainEqual(
        expect.arrayContaining([expect.stringMatching(/\/dynoxide$/)]),
      );
    }
    expect(await run("scripts/verify.ts", [], { AWS_ENDPOINT_URL: endpoint })).toMatchObject({ code: 0 });
  });

  test("runs beside another one on other ports, with data of its own", async () => {
    const [one, other] = await Promise.all([ownStack(), ownStack()]);
    const user = newUser();
    transactionIn(await new Client(one.apiUrl, user).deposit("USD", "1.00", { wait: 10 }), 201);
    expect(await new Client(other.apiUrl, user).balance("USD")).toBe("0.00");
  });

  test.runIf(onLinux).each(["SIGINT", "SIGTERM"] as const)("leaves no process behind after %s", async (signal) => {
    const marker = `ANTLER_TEST=${randomUUID()}`;
    const stack = await ownStack({ ANTLER_TEST: marker.slice("ANTLER_TEST=".length) });
    expect(processesWith(marker).length).toBeGreaterThan(2);
    stack.process.kill(signal);
    expect((await once(stack.process, "exit"))[0]).toBe(0);
    await untilNoProcessWith(marker);
  });

  test.runIf(onLinux)("leaves no process behind when it is killed", async () => {
    const marker = `ANTLER_TEST=${randomUUID()}`;
    const stack = await ownStack({ ANTLER_TEST: marker.slice("ANTLER_TEST=".length) });
    stack.process.kill("SIGKILL");
    await untilNoProcessWith(marker);
  });

  test.runIf(onLinux)("ends as a whole, and says why, when its database dies", async () => {
    const marker = `ANTLER_TEST=${randomUUID()}`;
    const stack = await ownStack({ ANTLER_TEST: marker.slice("ANTLER_TEST=".length) });
    const database = processesWith(marker).find((pid) => commandOf(pid)[0]?.endsWith("/dynoxide"));
    process.kill(Number(database), "SIGKILL");
    expect((await once(stack.process, "exit"))[0]).toBe(1);
    expect(stack.output()).toContain("DynamoDB (dynoxide) ended");
    await untilNoProcessWith(marker);
  });

  test.runIf(hasJava)("runs on DynamoDB Local too", async () => {
    const stack = await ownStack({ DYNAMODB_ENGINE: "dynamodb-local" });
    const alice = new Client(stack.apiUrl, newUser());
    transactionIn(await alice.deposit("ETH", "1.000000000000000001", { wait: 20 }), 201);
    expect(await alice.balance("ETH")).toBe("1.000000000000000001");
  });

  test.each(hasJava ? ["dynoxide", "dynamodb-local"] : ["dynoxide"])(
    "keeps everything in DATA_DIR from one start to the next on %s",
    async (engine) => {
      const first = await ownStack({ DATA_DIR: dataDir(), DYNAMODB_ENGINE: engine });
      const user = newUser();
      transactionIn(await new Client(first.apiUrl, user).deposit("USD", "7.00", { wait: 20 }), 201);
      await first.stop();
      const second = await ownStack(first.environment);
      expect(await new Client(second.apiUrl, user).balance("USD")).toBe("7.00");
    },
  );
});

describe("npm run verify", () => {
  test("passes on books that are right, and names the user and the difference when they are not", async () => {
    const stack = await ownStack();
    const alice = new Client(stack.apiUrl, newUser("alice"));
    await alice.deposit("USD", "10.00", { wait: 10 });
    await alice.withdraw("USD", "3.00", { wait: 10 });
    expect(await run("scripts/verify.ts", [], stack.environment)).toEqual({
      code: 0,
      output: "1 wallets, 2 posted, 0 rejected, 0 pending\n  USD  7.00\nEvery wallet is the fold of its history.\n",
    });

    process.env.AWS_ENDPOINT_URL_DYNAMODB = `http://127.0.0.1:${stack.environment.DYNAMODB_PORT}`;
    Object.assign(process.env, {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
    });
    const item = { userId: alice.user, sequence: 2, balances: { USD: 7_000n }, updatedAt: new Date().toISOString() };
    await dynamo.send(new PutCommand({ TableName: "antler-local-wallets", Item: item }));
    const { code, output } = await run("scripts/verify.ts", [], stack.environment);
    expect(code).toBe(1);
    expect(output).toContain(`DIFFERENCE: user ${alice.user} holds 7000 minor units of USD`);
    expect(output).toContain("difference 6300");
  });

  test("says in one line that there is no stack to read", async () => {
    const { code, output } = await run("scripts/verify.ts", [], await freePorts("AWS_PORT", "DYNAMODB_PORT"));
    expect(code).toBe(1);
    expect(output).toMatch(/^The ledger can't be read: .+\n$/);
  });
});

describe("npm run token", () => {
  test("prints a token that the stack takes", async () => {
    const { output } = await run("localstack/token.ts", ["alice"], {});
    const answer = await fetch(`${inject("apiUrl")}/v1/users/alice/balances`, {
      headers: { authorization: `Bearer ${output.trim()}` },
    });
    expect(answer.status).toBe(200);
  });
});
