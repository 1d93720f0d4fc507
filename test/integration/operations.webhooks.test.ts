import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { sqs } from "../../lib/aws/clients.ts";
import { sqsDeliveryQueue } from "../../lib/aws/deliveries.ts";
import { dynamoEndpoints } from "../../lib/aws/endpoints.ts";
import { sqsWebhookFailures } from "../../lib/aws/webhookFailures.ts";
import { systemClock as clock } from "../../lib/runtime/clock.ts";
import { type Delivery, decodeDelivery } from "../../lib/webhooks/delivery.ts";
import { type Endpoint, newEndpoint } from "../../lib/webhooks/endpoint.ts";
import { replay } from "../../lib/webhooks/replay.ts";
import { ANTLER, operate } from "../../testkit/antler.ts";
import { startEngines } from "../../testkit/engines.ts";
import { receiveAll } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";
import { deliveryRecord } from "../../testkit/webhooks.ts";

/** `antler webhooks` on real engines. */
const engines = await startEngines("dynoxide");
const queueUrl = process.env.WEBHOOKS_QUEUE_URL ?? "";
const failuresUrl = process.env.WEBHOOK_FAILURES_QUEUE_URL ?? "";

beforeEach(async () => {
  await receiveAll(queueUrl);
  await receiveAll(failuresUrl);
  for (const { id } of await dynamoEndpoints.list()) await dynamoEndpoints.remove(id);
});
afterAll(() => engines.stop());

const webhooks = (...args: string[]) => operate("webhooks", ...args);

async function endpointWith(attributes: Partial<Endpoint> = {}): Promise<string> {
  const { endpoint } = newEndpoint({ url: "https://example.com/" }, clock);
  await dynamoEndpoints.create({ ...endpoint, ...attributes });
  return endpoint.id;
}

async function failedDelivery(endpointId: string, eventId: string): Promise<Delivery> {
  const delivery = { endpointId, eventId, body: "{}" };
  await sqsDeliveryQueue.sendToFailures(deliveryRecord(delivery, 10), "HTTP 500");
  return delivery;
}

const deliveriesIn = async (url: string) =>
  (await receiveAll(url)).map(({ Body = "" }) => decodeDelivery(Body)?.eventId ?? Body).sort();

describe("antler webhooks failed", () => {
  test("lists every failed delivery, also those that SQS moved and those that are none, and leaves them", async () => {
    const empty = await run(ANTLER, ["webhooks", "failed", "--stage", "test"], {});
    expect(empty).toEqual({ code: 0, output: "Failed deliveries: 0\n" });
    const id = await endpointWith();
    await failedDelivery(id, "alice/1");
    await failedDelivery(id, "mallory\x1b[2K\nFailed deliveries: 0");
    for (const MessageBody of [JSON.stringify({ endpointId: id, eventId: "alice/2", body: "{}" }), "{not json"]) {
      await sqs.send(new SendMessageCommand({ QueueUrl: failuresUrl, MessageBody }));
    }
    for (let time = 1; time <= 2; time++) {
      const { code, output } = await webhooks("failed");
      expect(code).toBe(0);
      expect(output).toMatch(/^[ -~\n]+$/);
      const lines = output.trimEnd().split("\n");
      expect(lines.at(-1)).toBe("Failed deliveries: 4");
      const withoutTimes = lines.slice(0, -1).map((line) => line.replace(/^\S{24} {2}/, ""));
      expect(withoutTimes.sort()).toEqual(
        [
          "(no delivery)    moved by SQS  reason unknown",
          `${id}  alice/1  10 attempts  HTTP 500`,
          `${id}  alice/2  moved by SQS  reason unknown`,
          `${id}  mallory\\x1b[2K\\nFailed deliveries: 0  10 attempts  HTTP 500`,
        ].sort(),
      );
    }
    expect(await receiveAll(failuresUrl)).toHaveLength(4);
  });
});

describe("antler webhooks replay", () => {
  test("sends the failed deliveries again and removes them", async () => {
    const id = await endpointWith();
    const ids = Array.from({ length: 12 }, (_, index) => `alice/${index + 1}`);
    for (const eventId of ids) await failedDelivery(id, eventId);
    const { code, output } = await webhooks("replay");
    expect({ code, last: output.trimEnd().split("\n").at(-1) }).toEqual({ code: 0, last: "Sent again: 12" });
    expect(output).toContain(`${id}  alice/12  sent again\n`);
    expect(await deliveriesIn(queueUrl)).toEqual(ids.sort());
    expect(await receiveAll(failuresUrl)).toEqual([]);
  });

  test("--endpoint sends only those to it", async () => {
    const [one, other] = [await endpointWith(), await endpointWith()];
    await failedDelivery(one, "alice/1");
    await failedDelivery(other, "alice/2");
    expect((await webhooks("replay", "--endpoint", one)).output).toBe(`${one}  alice/1  sent again\nSent again: 1\n`);
    expect(await deliveriesIn(queueUrl)).toEqual(["alice/1"]);
    expect(await deliveriesIn(failuresUrl)).toEqual(["alice/2"]);
    const unknown = `wh_${"x".repeat(22)}`;
    expect(await webhooks("replay", "--endpoint", unknown)).toEqual({
      code: 1,
      output: `There is no endpoint ${unknown}\n`,
    });
  });

  test("leaves what would be lost: deliveries to disabled or deleted endpoints, and what is no delivery", async () => {
    await failedDelivery(await endpointWith({ status: "disabled" }), "alice/1");
    await failedDelivery("wh_deleted", "alice/2");
    await sqsDeliveryQueue.sendToFailures(deliveryRecord("{not json"), "malformed");
    const { code, output } = await webhooks("replay");
    expect({ code, output }).toEqual({
      code: 0,
      output: "Not sent again, because the endpoint is disabled or deleted: 2\nSent again: 0\n",
    });
    expect(await deliveriesIn(queueUrl)).toEqual([]);
    expect(await deliveriesIn(failuresUrl)).toEqual(["alice/1", "alice/2", "{not json"]);
  });

  test("that is killed, or that the queue refuses in part, loses nothing", async () => {
    const endpoints = [newEndpoint({ url: "https://example.com/" }, clock).endpoint];
    const [{ id } = { id: "" }] = endpoints;
    for (const eventId of ["alice/1", "alice/2", "alice/3"]) await failedDelivery(id, eventId);
    const failures = sqsWebhookFailures(30);
    const killed = { ...failures, remove: () => Promise.reject(new Error("killed")) };
    const sent = new Set<Delivery>();
    const send = async (deliveries: readonly Delivery[]) => {
      const unsent = new Set(deliveries.filter(({ eventId }) => eventId === "alice/2"));
      for (const delivery of deliveries) if (!unsent.has(delivery)) sent.add(delivery);
      return unsent;
    };
    await expect(replay(killed, { send }, endpoints, undefined, () => {})).rejects.toThrow("killed");
    await replay(failures, { send }, endpoints, undefined, () => {});
    expect(new Set([...sent].map(({ eventId }) => eventId))).toEqual(new Set(["alice/1", "alice/3"]));
    expect(await deliveriesIn(failuresUrl)).toEqual(["alice/2"]);
  });
});

test.each([
  [["failed", "--endpoint", `wh_${"x".repeat(22)}`], "failed has no --endpoint"],
  [["replay", "--endpoint", "x"], "--endpoint 'x': must be the id of an endpoint"],
  [["list"], "ACTION 'list': must be failed or replay"],
  [[], "ACTION is missing"],
])("antler webhooks %j is refused in one sentence", async (args, message) => {
  const { code, output } = await webhooks(...args);
  expect({ code, line: output.split("\n")[0] }).toEqual({ code: 2, line: message });
});
