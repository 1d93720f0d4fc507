import { createServer, type IncomingHttpHeaders } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Message } from "@aws-sdk/client-sqs";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { sqsDeliverySender } from "../../lib/aws/deliveries.ts";
import { dynamoEndpoints } from "../../lib/aws/endpoints.ts";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import type { Response } from "../../lib/http/response.ts";
import { endpointSchema, endpointsSchema, newEndpointSchema } from "../../lib/http/webhooks.ts";
import { TransientError } from "../../lib/ledger/ports.ts";
import { logger } from "../../lib/runtime/telemetry.ts";
import { decodeDelivery, webhookId } from "../../lib/webhooks/delivery.ts";
import { serveKeySet } from "../../localstack/identityProvider.ts";
import { listen } from "../../localstack/tcp.ts";
import { tokenOf } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { httpEvent, lambdaContext, sqsEvent } from "../../testkit/events.ts";
import { receive, receiveAll, remove } from "../../testkit/queue.ts";

/** The functions of the webhooks on real engines, with a receiver on the loopback interface. */
const engines = await startEngines("dynoxide");
const keySet = await serveKeySet();
vi.stubEnv("JWT_JWKS_URL", keySet.url);
vi.stubEnv("JWT_ISSUER", "test");
vi.stubEnv("JWT_AUDIENCE", "antler");
vi.stubEnv("EVENT_SOURCE", "antler-test");
vi.stubEnv("WEBHOOKS_ALLOW_LOOPBACK", "true");
const { handler: webhooks } = await import("../../functions/webhooks.ts");
const { handler: deliver } = await import("../../functions/deliver.ts");
const queueUrl = process.env.WEBHOOKS_QUEUE_URL ?? "";
const failuresUrl = process.env.WEBHOOK_FAILURES_QUEUE_URL ?? "";

beforeEach(async () => {
  vi.stubEnv("WEBHOOKS_ALLOW_LOOPBACK", "true");
  for (const { id } of await dynamoEndpoints.list()) await dynamoEndpoints.remove(id);
  await receiveAll(queueUrl);
});

afterAll(async () => {
  keySet.stop();
  await engines.stop();
});

interface Call {
  readonly id?: string;
  readonly body?: unknown;
  readonly scope?: string;
}

async function call(route: string, { id, body, scope = ADMIN_SCOPE }: Call = {}): Promise<Response> {
  const [method, path] = route.split(" ");
  const event = httpEvent({
    ...{ method, path: `/v1/webhooks${path ?? ""}` },
    ...(id !== undefined && { pathParameters: { id } }),
    headers: { authorization: `Bearer ${await tokenOf("ops", scope)}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return webhooks(event, lambdaContext);
}

const bodyOf = ({ body }: Response) => JSON.parse(body ?? "");

async function created(url = "https://example.com/") {
  const response = await call("POST", { body: { url } });
  expect(response.statusCode).toBe(201);
  return newEndpointSchema.parse(bodyOf(response));
}

async function refusal(route: string, options: Call) {
  const { statusCode, body } = await call(route, options);
  const { code, errors } = JSON.parse(body ?? "{}");
  return [statusCode, code, ...(errors ?? []).map(({ pointer }: { pointer: string }) => pointer)];
}

/** Runs the function on the next batch, and deletes what it did not fail. */
async function deliverNext(): Promise<{ readonly received: Message[]; readonly failed: number }> {
  const received = await receive(queueUrl);
  const { Records } = sqsEvent(
    received.map(({ MessageId = "", Body = "" }) => ({ recordId: MessageId, groupId: "", body: Body })),
  );
  for (const [index, { ReceiptHandle = "", Attributes }] of received.entries()) {
    const record = Records[index];
    if (!record) continue;
    record.receiptHandle = ReceiptHandle;
    record.attributes.ApproximateReceiveCount = Attributes?.ApproximateReceiveCount ?? "";
  }
  const { batchItemFailures } = await deliver({ Records });
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  await remove(
    queueUrl,
    received.filter(({ MessageId = "" }) => !failed.has(MessageId)),
  );
  return { received, failed: failed.size };
}

/** A receiver; `status` is what it answers. */
async function startReceiver(status = 204) {
  const requests: { readonly headers: IncomingHttpHeaders; readonly text: string }[] = [];
  const server = createServer(async (request, response) => {
    requests.push({ headers: request.headers, text: (await buffer(request)).toString() });
    response.writeHead(status).end("a secret of the receiver");
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
  });
  return { url: `http://127.0.0.1:${port}/hooks`, requests };
}

describe("the routes of the webhook endpoints", () => {
  test("create an endpoint, show its secret once, list, read, change and delete it", async () => {
    const body = { url: "HTTPS://Example.com:443/a b", types: ["deposit", "credit"], description: "the shop" };
    const response = await call("POST", { body });
    const { secret, ...endpoint } = newEndpointSchema.parse(bodyOf(response));
    expect(response).toMatchObject({ statusCode: 201, headers: { location: `/v1/webhooks/${endpoint.id}` } });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(endpoint).toEqual({
      ...body,
      id: expect.stringMatching(/^wh_[A-Za-z0-9_-]{22}$/),
      url: "https://example.com/a%20b",
      status: "enabled",
      createdAt: expect.any(String),
      ...{ disabledReason: null, lastSuccess: null, lastFailure: null },
    });
    const { id } = endpoint;
    expect(endpointsSchema.parse(bodyOf(await call("GET")))).toEqual({ data: [endpoint] });
    expect(endpointSchema.parse(bodyOf(await call("GET /{id}", { id })))).toEqual(endpoint);

    const change = { url: "https://new.example.com/", types: null, description: null, status: "disabled" };
    const changed = endpointSchema.parse(bodyOf(await call("PATCH /{id}", { id, body: change })));
    expect(changed).toEqual({ ...endpoint, ...change });
    expect(bodyOf(await call("PATCH /{id}", { id, body: {} }))).toEqual(changed);
    expect((await call("DELETE /{id}", { id })).statusCode).toBe(204);
    expect(bodyOf(await call("GET"))).toEqual({ data: [] });
  });

  test("answer 404 for an endpoint that does not exist, and for what can't be an id", async () => {
    const { id: deleted } = await created();
    await call("DELETE /{id}", { id: deleted });
    for (const id of [deleted, "count", "", "wh_x", "..", "__proto__"]) {
      for (const route of ["GET /{id}", "DELETE /{id}", "POST /{id}/secret-rotations", "POST /{id}/test-events"]) {
        expect(await refusal(route, { id }), `${route} ${id}`).toEqual([404, "not_found"]);
      }
      expect(await refusal("PATCH /{id}", { id, body: {} })).toEqual([404, "not_found"]);
    }
  });

  test.each([
    "POST",
    "GET",
    "GET /{id}",
    "PATCH /{id}",
    "DELETE /{id}",
    "POST /{id}/secret-rotations",
    "POST /{id}/test-events",
  ])("refuse a user's own token: %s", async (route) => {
    const { id } = await created();
    const body = { url: "https://mallory.example.com/" };
    for (const scope of ["", "wallets", "wallets:read", "wallets:administrator", "WALLETS:ADMIN", "webhooks:admin"]) {
      expect(await refusal(route, { id, scope, body })).toEqual([403, "forbidden"]);
    }
    expect(await dynamoEndpoints.list()).toMatchObject([{ id, url: "https://example.com/", status: "enabled" }]);
    expect(await receiveAll(queueUrl)).toEqual([]);
  });

  test.each([
    [{}, "/url"],
    [{ url: 1 }, "/url"],
    [{ url: "x".repeat(2049) }, "/url"],
    [{ url: "https://example.com/", types: [] }, "/types"],
    [{ url: "https://example.com/", types: ["deposit", "deposit"] }, "/types"],
    [{ url: "https://example.com/", types: ["antler.test"] }, "/types/0"],
    [{ url: "https://example.com/", types: "deposit" }, "/types"],
    [{ url: "https://example.com/", description: "" }, "/description"],
    [{ url: "https://example.com/", description: "x".repeat(141) }, "/description"],
    [{ url: "https://example.com/", description: "\ud800" }, "/description"],
    [{ url: "https://example.com/", secret: "whsec_x" }, "/secret"],
    [{ url: "https://example.com/", status: "enabled" }, "/status"],
  ])("refuse to create %j", async (body, pointer) => {
    expect(await refusal("POST", { body })).toEqual([422, "validation_failed", pointer]);
    expect(await dynamoEndpoints.list()).toEqual([]);
  });

  test.each([
    [{ status: "gone" }, "/status"],
    [{ url: null }, "/url"],
    [{ types: [] }, "/types"],
    [{ secrets: [] }, "/secrets"],
    [{ id: "wh_x" }, "/id"],
  ])("refuse to change %j", async (body, pointer) => {
    const { id } = await created();
    expect(await refusal("PATCH /{id}", { id, body })).toEqual([422, "validation_failed", pointer]);
  });

  test("refuse a URL that is not allowed, in a new endpoint and in a change", async () => {
    const { id } = await created();
    vi.stubEnv("WEBHOOKS_ALLOW_LOOPBACK", "false");
    for (const url of [
      "http://example.com/",
      "https://127.0.0.1/",
      "https://localhost/",
      "https://[::1]/",
      "nothing",
    ]) {
      const expected = [422, "url_not_allowed", "/url"];
      expect(await refusal("POST", { body: { url } })).toEqual(expected);
      expect(await refusal("PATCH /{id}", { id, body: { url } })).toEqual(expected);
    }
    expect(await dynamoEndpoints.list()).toMatchObject([{ id, url: "https://example.com/" }]);
  });

  test("refuse the endpoint after the twentieth", async () => {
    for (let count = 1; count <= 20; count++) await created();
    expect(await refusal("POST", { body: { url: "https://example.com/" } })).toEqual([422, "endpoint_limit"]);
  });
});

describe("an event", () => {
  test("that an operator asks for is delivered, signed, and shown as the last success", async () => {
    const { url, requests } = await startReceiver();
    const { id } = await created(url);
    const response = await call("POST /{id}/test-events", { id });
    const { eventId, webhookId: deliveryId } = bodyOf(response);
    expect(response.statusCode).toBe(202);
    expect(await deliverNext()).toMatchObject({ received: [{}], failed: 0 });
    expect(requests.map(({ headers, text }) => [headers["webhook-id"], JSON.parse(text)])).toEqual([
      [deliveryId, expect.objectContaining({ id: eventId, type: "antler.test", source: "antler-test" })],
    ]);
    expect(bodyOf(await call("GET /{id}", { id }))).toMatchObject({ lastSuccess: {}, lastFailure: null });
    await call("PATCH /{id}", { id, body: { status: "disabled" } });
    expect(await refusal("POST /{id}/test-events", { id })).toEqual([422, "endpoint_disabled"]);
  });

  test("arrives byte for byte, so that the library of a receiver accepts its signature", async () => {
    const { url, requests } = await startReceiver();
    const { id: endpointId, secret } = await created(url);
    const body = JSON.stringify({ reference: 'K\u00e4se \u{1f9c0} \u2028 "\\\u0000\n', amount: "1.00" });
    await sqsDeliverySender.send([{ endpointId, eventId: "alice/1", body }]);
    expect(await deliverNext()).toMatchObject({ received: [{}], failed: 0 });
    const [{ headers, text } = { headers: {}, text: "" }] = requests;
    expect(text).toBe(body);
    const verify = (bytes: string) => new Webhook(secret).verify(bytes, headers as Record<string, string>);
    expect(verify(text)).toEqual(JSON.parse(body));
    expect(() => verify(text.replace("1.00", "9.00"))).toThrow("No matching signature found");
  });

  test("that fails is hidden for its pause, and neither logs nor answers show a secret or what the receiver answers", async () => {
    const logs: unknown[] = [];
    for (const level of ["info", "warn", "error"] as const) {
      vi.spyOn(logger, level).mockImplementation((...values) => {
        logs.push(...values);
      });
    }
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    const { url, requests } = await startReceiver(503);
    const { id, secret } = await created(url);
    const rotated = bodyOf(await call("POST /{id}/secret-rotations", { id }));
    expect(rotated).toEqual({ secret: expect.stringMatching(/^whsec_/) });
    const { eventId } = bodyOf(await call("POST /{id}/test-events", { id }));

    expect(await deliverNext()).toMatchObject({ received: [{}], failed: 1 });
    expect(requests[0]?.headers["webhook-signature"]).toMatch(/^v1,\S+ v1,\S+$/);
    expect(await receive(queueUrl)).toEqual([]);
    await expect.poll(deliverNext, { interval: 200 }).toMatchObject({ received: [{}], failed: 1 });
    expect(requests).toHaveLength(2);
    const answers = [await call("GET"), await call("GET /{id}", { id }), await call("PATCH /{id}", { id, body: {} })];
    expect(bodyOf(answers[1] ?? {})).toMatchObject({ lastFailure: { reason: "HTTP 503" } });
    const text = JSON.stringify([logs, answers]);
    expect(text).toContain(webhookId({ endpointId: id, eventId }));
    for (const hidden of [secret, rotated.secret, "whsec", "of the receiver"]) expect(text).not.toContain(hidden);
  });

  test("is dead-lettered with its reason and its attempts; a body that is none too", async () => {
    const delivery = { endpointId: (await created("http://127.0.0.1:1/")).id, eventId: "alice/1", body: "{}" };
    const event = sqsEvent([
      { recordId: "1", groupId: "", body: JSON.stringify(delivery) },
      { recordId: "2", groupId: "", body: "{not json" },
    ]);
    for (const record of event.Records) record.attributes.ApproximateReceiveCount = "10";
    expect(await deliver(event)).toEqual({ batchItemFailures: [] });
    const failures = await receiveAll(failuresUrl);
    const reasons = failures.map(({ Body = "", MessageAttributes: { reason, attempts } = {} }) => [
      decodeDelivery(Body)?.eventId,
      reason?.StringValue,
      attempts?.StringValue,
    ]);
    expect(new Set(reasons)).toEqual(
      new Set([
        ["alice/1", "ECONNREFUSED", "10"],
        [undefined, "malformed", "10"],
      ]),
    );
  });
});

describe("the deliveries queue", () => {
  test("gets as many deliveries as there are, in calls that SQS accepts", async () => {
    const body = "\u20ac".repeat(80_000);
    const deliveries = Array.from({ length: 23 }, (_, index) => ({
      endpointId: "wh_1",
      eventId: `alice/${index}`,
      body,
    }));
    expect(await sqsDeliverySender.send(deliveries)).toEqual(new Set());
    const ids = (await receiveAll(queueUrl)).map(({ Body = "" }) => decodeDelivery(Body)?.eventId);
    expect(new Set(ids)).toEqual(new Set(deliveries.map(({ eventId }) => eventId)));
  });

  test("that does not answer is a transient error", async () => {
    await engines.stopSqs();
    await expect(sqsDeliverySender.send([{ endpointId: "wh_1", eventId: "a/1", body: "" }])).rejects.toThrow(
      TransientError,
    );
    await engines.restartSqs();
  });
});
