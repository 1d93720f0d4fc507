import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, describe, expect, test, vi } from "vitest";
import { handler as balances } from "../../functions/balances.ts";
import { handler as commands } from "../../functions/commands.ts";
import { handler as consume } from "../../functions/consume.ts";
import { handler as health } from "../../functions/health.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { transactionId } from "../../lib/ledger/idempotency.ts";
import { encodeMessage } from "../../lib/ledger/message.ts";
import { serveKeySet } from "../../localstack/identityProvider.ts";
import { tokenOf } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { httpEvent, lambdaContext, sqsEvent } from "../../testkit/events.ts";
import { receive, receivedRecord, remove, sendRaw } from "../../testkit/queue.ts";
import { commandWith } from "../../testkit/storeContract.ts";

/** The functions' handlers on real engines. The test replaces API Gateway and the event source mapping. */
const engines = await startEngines("dynoxide");
const keySet = await serveKeySet();
vi.stubEnv("JWT_JWKS_URL", keySet.url);
vi.stubEnv("JWT_ISSUER", "test");
vi.stubEnv("JWT_AUDIENCE", "antler");
vi.stubEnv("SELF_SERVICE", "deposits");

afterAll(async () => {
  keySet.stop();
  await engines.stop();
});

async function sendDeposit(userId: string, key: string, amount = "1.00") {
  const event = httpEvent({
    method: "POST",
    path: "/v1/users/{userId}/deposits",
    pathParameters: { userId },
    headers: {
      authorization: `Bearer ${await tokenOf(userId)}`,
      "idempotency-key": key,
      "content-type": "application/json",
    },
    body: JSON.stringify({ currency: "USD", amount }),
  });
  return commands(event, lambdaContext);
}

/** Runs the consumer on the next batch and deletes the records that it did not fail. */
async function deliver(): Promise<{ received: number; failed: string[] }> {
  const messages = await receive(engines.queueUrl);
  const { batchItemFailures } = await consume(sqsEvent(messages.map(receivedRecord)));
  const failed = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  await remove(
    engines.queueUrl,
    messages.filter(({ MessageId = "" }) => !failed.includes(MessageId)),
  );
  return { received: messages.length, failed };
}

describe("the functions on real engines", () => {
  test("while the queue is down a command gets 503 with Retry-After; sent again under its key, it is decided", async () => {
    await engines.stopSqs();
    const refused = await sendDeposit("carol", "key-1");
    expect(refused).toMatchObject({ statusCode: 503, headers: { "retry-after": "1" } });
    expect(refused.body).not.toContain("ECONNREFUSED");
    expect(await health(httpEvent(), lambdaContext)).toMatchObject({ statusCode: 503 });
    await engines.restartSqs();
    const replayed = await sendDeposit("carol", "key-1");
    expect(replayed).toMatchObject({ statusCode: 202, headers: { "idempotency-replayed": "true" } });
    expect(await deliver()).toEqual({ received: 1, failed: [] });
    expect(await ports.store.readWallet("carol")).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
  });

  test("ten commands of one user are one batch and one write", async () => {
    for (let step = 1; step <= 10; step++) await sendDeposit("dave", `key-${step}`, `${step}.00`);
    const commit = vi.spyOn(ports.store, "commit");
    expect(await deliver()).toEqual({ received: 10, failed: [] });
    expect(commit).toHaveBeenCalledTimes(1);
    commit.mockRestore();
    expect(await ports.store.readWallet("dave")).toMatchObject({ sequence: 10, available: new Map([["USD", 5500n]]) });
  });

  test("a record that can't be parsed is dead-lettered and does not block the next one", async () => {
    await sendRaw(engines.queueUrl, "erin", "{not json");
    await sendDeposit("erin", "key-1");
    expect(await deliver()).toEqual({ received: 2, failed: [] });
    expect(await ports.store.readWallet("erin")).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
    expect(await receive(engines.deadLetterQueueUrl)).toMatchObject([
      { Body: "{not json", MessageAttributes: { reason: { StringValue: "malformed" } } },
    ]);
  });

  test("a message whose command was not accepted moves no money", async () => {
    const command = commandWith({ id: transactionId("mallory", "never sent"), userId: "mallory" });
    await sendRaw(engines.queueUrl, "mallory", encodeMessage({ commands: [command], requestId: "" }));
    expect(await deliver()).toEqual({ received: 1, failed: [] });
    expect(await ports.store.readWallet("mallory")).toBeUndefined();
  });

  test("a balance in a currency that the currencies table lacks is left out of the response", async () => {
    const head = { sequence: 1, decidedAt: "2026-11-23T09:30:00.000Z", hash: "x" };
    const Item = { userId: "grace", ...head, available: { NONE: 5n, USD: 100n }, held: {} };
    await dynamoDocuments.send(new PutCommand({ TableName: process.env.WALLETS_TABLE, Item }));
    const { statusCode, body = "" } = await balances(
      httpEvent({
        path: "/v1/users/{userId}/balances",
        pathParameters: { userId: "grace" },
        headers: { authorization: `Bearer ${await tokenOf("grace")}` },
      }),
      lambdaContext,
    );
    expect(statusCode).toBe(200);
    expect(body).toContain('{"currency":"USD","amount":"1.00","held":"0.00","available":"1.00"}');
    expect(body).not.toContain("NONE");
  });

  test("a batch that is delivered again after its commit changes nothing", async () => {
    await sendDeposit("frank", "key-1");
    const event = sqsEvent((await receive(engines.queueUrl)).map(receivedRecord));
    await consume(event);
    await consume(event);
    expect(await ports.store.readWallet("frank")).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
  });
});
