import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { bundleFunctions } from "../../infra/bundle.ts";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { encodeMessage } from "../../lib/ledger/message.ts";
import { encodeDelivery } from "../../lib/webhooks/delivery.ts";
import { issueToken, serveKeySet } from "../../localstack/identityProvider.ts";
import { listen } from "../../localstack/tcp.ts";
import { httpEvent, sqsEvent, streamEvent } from "../../testkit/events.ts";
import { collect } from "../../testkit/stack.ts";
import { commandWith } from "../../testkit/storeContract.ts";

const BYTES_MAX = 400_000;

/**
 * Modules that no function needs: credential providers other than the environment, languages other than English, and
 * the schemas of zod that zod/mini replaces.
 */
const UNWANTED = [
  /credential-provider-(?!node\/|env\/)/,
  /@aws-sdk\/(nested-clients|token-providers)\//,
  /event-streams/,
  /zod\/v4\/locales\/(?!en\.js|index\.js)/,
  /zod\/v4\/classic\//,
];

/** The status that each function of the API answers with while SQS and DynamoDB fail. */
const STATUSES = {
  commands: 503,
  balances: 503,
  statements: 503,
  transactions: 503,
  transaction: 503,
  holds: 503,
  currencies: 503,
  health: 503,
  openapi: 200,
  docs: 200,
  console: 308,
  notFound: 404,
};
const FUNCTIONS = [...Object.keys(STATUSES), "consume", "sweep", "publish", "webhooks", "deliver"];

const CALL = `
  const { handler } = await import(process.argv[1]);
  const event = JSON.parse(process.argv[2]);
  console.log(JSON.stringify(await handler(event, { awsRequestId: "test" })));
`;

const response = z.object({ statusCode: z.number() });

/** Outside the repository, so that the bundle can import nothing else, as on Lambda. */
const folder = mkdtempSync(join(tmpdir(), "antler-bundles-"));
const bundles = new Map((await bundleFunctions(folder)).map((bundle) => [bundle.name, bundle]));
const keySet = await serveKeySet();
/** The signatures that the stand-in for SQS and DynamoDB received. It fails every call. */
let authorizations: string[] = [];
const aws = createServer((request, response) => {
  authorizations.push(`${request.headers.authorization} ${request.headers["x-amz-security-token"]}`);
  response.writeHead(500).end("{}");
});

const endpoint = `http://127.0.0.1:${await listen(aws)}`;

afterAll(() => {
  keySet.stop();
  aws.close();
  rmSync(folder, { recursive: true });
});

/** Calls a function in a separate process whose environment is that of a Lambda function. */
async function call(name: string, event: unknown): Promise<{ result: unknown; output: string }> {
  authorizations = [];
  const file = pathToFileURL(bundles.get(name)?.file ?? "").href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", CALL, file, JSON.stringify(event)], {
    cwd: folder,
    env: {
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "KEY-OF-THE-ROLE",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_SESSION_TOKEN: "TOKEN-OF-THE-ROLE",
      AWS_ENDPOINT_URL: endpoint,
      POWERTOOLS_METRICS_NAMESPACE: "Antler",
      CURRENCIES_TABLE: "currencies",
      WALLETS_TABLE: "wallets",
      TRANSACTIONS_TABLE: "transactions",
      COMMANDS_QUEUE_URL: `${endpoint}/1/commands.fifo`,
      DEAD_LETTER_QUEUE_URL: `${endpoint}/1/dead-letters.fifo`,
      EVENTS_TOPIC_ARN: "arn:aws:sns:eu-west-1:123456789012:events.fifo",
      EVENT_SOURCE: "antler-test",
      WEBHOOKS_TABLE: "webhooks",
      WEBHOOKS_QUEUE_URL: `${endpoint}/1/webhooks`,
      WEBHOOK_FAILURES_QUEUE_URL: `${endpoint}/1/webhook-failures`,
      WEBHOOKS_ALLOW_LOOPBACK: "false",
      SELF_SERVICE: "deposits",
      JWT_JWKS_URL: keySet.url,
      JWT_ISSUER: "issuer",
      JWT_AUDIENCE: "audience",
      STAGE: "test",
      OIDC_SCOPE: "openid",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(output());
  return { result: JSON.parse(output().trim().split("\n").at(-1) ?? ""), output: output() };
}

/** The function called AWS with the environment's credentials. */
function expectSignedCalls(): void {
  expect(authorizations.length).toBeGreaterThan(0);
  for (const authorization of authorizations) {
    expect(authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=KEY-OF-THE-ROLE\/.* TOKEN-OF-THE-ROLE$/);
  }
}

describe("the bundle of a function", () => {
  test("exists for every function of serverless.yml", () => {
    expect([...bundles.keys()].sort()).toEqual(FUNCTIONS.toSorted());
  });

  test.each(FUNCTIONS)("of %s is small and complete", (name) => {
    const bundle = bundles.get(name);
    if (!bundle) throw new Error(`There is no bundle of ${name}`);
    const sources = [...bundle.sources.keys()];
    expect(sources.filter((file) => UNWANTED.some((unwanted) => unwanted.test(file)))).toEqual([]);
    expect(bundle.needs.filter((path) => !isBuiltin(path))).toEqual([]);
    expect(bundle.bytes).toBeLessThanOrEqual(BYTES_MAX);
  });

  test.each(Object.entries(STATUSES))("of %s starts, and answers %i while AWS fails", async (name, status) => {
    const token = await issueToken({ subject: "alice", scope: undefined, issuer: "issuer", audience: "audience" });
    const event = httpEvent({
      method: "POST",
      path: "/v1/users/{userId}/deposits",
      pathParameters: { userId: "alice", id: `tx_${"x".repeat(43)}` },
      query: name === "statements" ? { currency: "USD" } : undefined,
      headers: { authorization: `Bearer ${token}`, "idempotency-key": "key", "content-type": "application/json" },
      body: JSON.stringify({ currency: "USD", amount: "1.00" }),
    });
    const { result, output } = await call(name, event);
    expect(response.parse(result).statusCode, output).toBe(status);
    if (status === 503) expectSignedCalls();
  });

  test("of consume starts, and fails its records while AWS fails", async () => {
    const body = encodeMessage({ commands: [commandWith()], requestId: randomUUID() });
    const { result } = await call(
      "consume",
      sqsEvent([{ recordId: "record", groupId: "alice", body, isRedelivered: false }]),
    );
    expect(result).toEqual({ batchItemFailures: [{ itemIdentifier: "record" }] });
    expectSignedCalls();
  });

  test("of publish starts, and fails its records while AWS fails", async () => {
    const after = { decidedAt: "2026-11-23T09:30:00.000Z", sequence: 1 };
    const event = streamEvent([{ recordId: "record", userId: "alice", before: undefined, after, ids: ["tx_1"] }]);
    const { result } = await call("publish", event);
    expect(result).toEqual({ batchItemFailures: [{ itemIdentifier: "record" }] });
    expectSignedCalls();
  });

  test("of webhooks starts, and answers 503 while AWS fails", async () => {
    const token = await issueToken({ subject: "ops", scope: ADMIN_SCOPE, issuer: "issuer", audience: "audience" });
    const event = httpEvent({ path: "/v1/webhooks", headers: { authorization: `Bearer ${token}` } });
    const { result, output } = await call("webhooks", event);
    expect(response.parse(result).statusCode, output).toBe(503);
    expectSignedCalls();
  });

  test("of deliver starts, and fails its records while AWS fails", async () => {
    const body = encodeDelivery({ endpointId: "wh_1", eventId: "alice/1", body: "{}" });
    const { result } = await call("deliver", sqsEvent([{ recordId: "record", groupId: "wh_1", body }]));
    expect(result).toEqual({ batchItemFailures: [{ itemIdentifier: "record" }] });
    expectSignedCalls();
  });

  test("of sweep starts, and fails while AWS fails", async () => {
    await expect(call("sweep", {})).rejects.toThrow("TransientError");
    expectSignedCalls();
  });
});
