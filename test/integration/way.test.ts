import { randomUUID } from "node:crypto";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import type { APIGatewayProxyEventV2, Context, SQSEvent } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { handler as balances } from "../../functions/balances.ts";
import { handler as commands } from "../../functions/commands.ts";
import { handler as consume } from "../../functions/consume.ts";
import { handler as health } from "../../functions/health.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamo, sqs } from "../../lib/aws/clients.ts";
import { transactionId } from "../../lib/ledger/idempotency.ts";
import { issueToken, serveKeySet } from "../../localstack/identityProvider.ts";
import { type Engines, receive, remove, startEngines } from "../support/engines.ts";

/** The functions themselves, on real engines, with the test in the event source mapping's place. */
let engines: Engines;
let keySet: Awaited<ReturnType<typeof serveKeySet>>;

beforeAll(async () => {
  engines = await startEngines("dynoxide");
  keySet = await serveKeySet();
  vi.stubEnv("JWT_JWKS_URL", keySet.url);
  vi.stubEnv("JWT_ISSUER", "test");
  vi.stubEnv("JWT_AUDIENCE", "antler");
});

afterAll(async () => {
  keySet.stop();
  await engines.stop();
});

const context = { awsRequestId: "request-1" } as Context;

async function eventOf(userId: string, headers: Readonly<Record<string, string>>, body: object | undefined) {
  const token = await issueToken({ subject: userId, scope: undefined, issuer: "test", audience: "antler" });
  return {
    version: "2.0",
    requestContext: { http: { method: "POST" } },
    headers: { authorization: `Bearer ${token}`, ...headers },
    pathParameters: { userId },
    body: body && JSON.stringify(body),
    isBase64Encoded: false,
    routeKey: "POST /v1/users/{userId}/deposits",
  } as unknown as APIGatewayProxyEventV2;
}

async function call(userId: string, key: string, amount = "1.00") {
  const headers = { "idempotency-key": key, "content-type": "application/json" };
  return commands(await eventOf(userId, headers, { currency: "USD", amount }), context);
}

/** What the queue hands out next, as the event that Lambda gets. */
async function receiveEvent(queueUrl: string): Promise<SQSEvent> {
  return {
    Records: (await receive(queueUrl)).map(({ MessageId, ReceiptHandle, Body, Attributes, MessageAttributes }) => ({
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes: Attributes,
      messageAttributes: MessageAttributes,
    })),
  } as unknown as SQSEvent;
}

/** Runs the consumer on all that waits and deletes what it did not fail. */
async function deliver(): Promise<{ received: number; failed: string[] }> {
  const event = await receiveEvent(engines.queueUrl);
  const { batchItemFailures } = await consume(event);
  const failed = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  const done = event.Records.filter(({ messageId }) => !failed.includes(messageId));
  await remove(
    engines.queueUrl,
    done.map(({ receiptHandle }) => receiptHandle),
  );
  return { received: event.Records.length, failed };
}

function sendRaw(userId: string, body: string) {
  return sqs.send(
    new SendMessageCommand({
      QueueUrl: engines.queueUrl,
      MessageGroupId: userId,
      MessageDeduplicationId: randomUUID(),
      MessageBody: body,
    }),
  );
}

describe("the way of a command", () => {
  test("a queue that is down answers 503 with Retry-After, and the same key later completes the command", async () => {
    await engines.stopSqs();
    const refused = await call("carol", "key-1");
    expect(refused).toMatchObject({ statusCode: 503, headers: { "retry-after": "1" } });
    expect(refused.body).not.toContain("ECONNREFUSED");
    expect(await health({ headers: {}, routeKey: "" } as unknown as APIGatewayProxyEventV2, context)).toMatchObject({
      statusCode: 503,
    });
    await engines.restartSqs();
    const replayed = await call("carol", "key-1");
    expect(replayed).toMatchObject({ statusCode: 202, headers: { "idempotency-replayed": "true" } });
    expect(await deliver()).toEqual({ received: 1, failed: [] });
    expect(await ports.store.readWallet("carol")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
  });

  test("ten commands of one user are one delivery, one sequence and one write", async () => {
    for (let step = 1; step <= 10; step++) await call("dave", `key-${step}`, `${step}.00`);
    const commit = vi.spyOn(ports.store, "commit");
    expect(await deliver()).toEqual({ received: 10, failed: [] });
    expect(commit).toHaveBeenCalledTimes(1);
    commit.mockRestore();
    expect(await ports.store.readWallet("dave")).toEqual({ sequence: 10, balances: new Map([["USD", 5500n]]) });
  });

  test("a record that can't be understood goes to the dead letters and holds nobody up", async () => {
    await sendRaw("erin", "{not json");
    await call("erin", "key-1");
    expect(await deliver()).toEqual({ received: 2, failed: [] });
    expect(await ports.store.readWallet("erin")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
    const { Records } = await receiveEvent(engines.deadLetterQueueUrl);
    expect(Records.map(({ body, messageAttributes }) => [body, JSON.stringify(messageAttributes)])).toEqual([
      ["{not json", expect.stringContaining("malformed")],
    ]);
  });

  test("a command that nobody accepted moves no money", async () => {
    const body = {
      version: 1,
      type: "deposit",
      id: transactionId("mallory", "never sent"),
      userId: "mallory",
      currency: "USD",
      amountMinor: "1000000",
      fingerprint: "made up",
      acceptedAt: "2026-11-23T09:30:00.000Z",
      requestId: "",
    };
    await sendRaw("mallory", JSON.stringify(body));
    expect(await deliver()).toEqual({ received: 1, failed: [] });
    expect(await ports.store.readWallet("mallory")).toBeUndefined();
  });

  test("a wallet with a currency that is not in the currencies table still answers with the others", async () => {
    const Item = {
      userId: "grace",
      sequence: 1,
      balances: { NONE: 5n, USD: 100n },
      updatedAt: "2026-11-23T09:30:00.000Z",
    };
    await dynamo.send(new PutCommand({ TableName: process.env.WALLETS_TABLE, Item }));
    const { statusCode, body = "" } = await balances(await eventOf("grace", {}, undefined), context);
    expect(statusCode).toBe(200);
    expect(body).toContain('{"currency":"USD","amount":"1.00"}');
    expect(body).not.toContain("NONE");
  });

  test("a delivery that is repeated after its commit changes nothing", async () => {
    await call("frank", "key-1");
    const event = await receiveEvent(engines.queueUrl);
    await consume(event);
    await consume(event);
    expect(await ports.store.readWallet("frank")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
  });
});
