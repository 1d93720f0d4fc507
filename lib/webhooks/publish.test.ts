import { describe, expect, it } from "vitest";
import { inMemoryWebhooks } from "../../testkit/webhooks.ts";
import type { Command } from "../domain/command.ts";
import { type LedgerEvent, TransientError } from "../ledger/ports.ts";
import type { Delivery } from "./delivery.ts";
import { sendTestEvent, webhookPublisher } from "./publish.ts";

function event(userId: string, type: Command["type"]): LedgerEvent {
  return { id: `${userId}/1`, userId, attributes: { type, status: "posted", currency: "USD" }, body: `of ${userId}` };
}

describe("the webhooks as a publisher", () => {
  it("send one delivery for each event and endpoint that wants it", async () => {
    const webhooks = inMemoryWebhooks();
    const all = await webhooks.newEndpoint();
    const deposits = await webhooks.newEndpoint({ types: ["deposit", "hold"] });
    await webhooks.newEndpoint({ types: ["transfer"] });
    await webhooks.newEndpoint({ status: "disabled" });
    const { publish } = webhookPublisher(webhooks.endpoints, webhooks.sender);
    expect(await publish([event("alice", "deposit"), event("bob", "withdrawal")])).toEqual(new Set());
    expect(webhooks.sent).toEqual([
      { endpointId: all.id, eventId: "alice/1", body: "of alice" },
      { endpointId: deposits.id, eventId: "alice/1", body: "of alice" },
      { endpointId: all.id, eventId: "bob/1", body: "of bob" },
    ]);
  });

  it("make no call to the queue without an endpoint", async () => {
    const webhooks = inMemoryWebhooks();
    const send = () => Promise.reject(new Error("called"));
    expect(await webhookPublisher(webhooks.endpoints, { send }).publish([event("alice", "hold")])).toEqual(new Set());
  });

  it("return an event as not published if one of its deliveries was not sent", async () => {
    const webhooks = inMemoryWebhooks();
    await webhooks.newEndpoint();
    const { id } = await webhooks.newEndpoint();
    const send = async (deliveries: readonly Delivery[]) =>
      new Set(deliveries.filter(({ endpointId, eventId }) => endpointId === id && eventId === "alice/1"));
    const { publish } = webhookPublisher(webhooks.endpoints, { send });
    expect(await publish([event("alice", "deposit"), event("bob", "deposit")])).toEqual(new Set(["alice/1"]));
  });
});

describe("a test event", () => {
  it("is a CloudEvent with an id of its own", async () => {
    const webhooks = inMemoryWebhooks();
    const endpoint = await webhooks.newEndpoint({ types: ["deposit"] });
    const ports = { sender: webhooks.sender, clock: webhooks.deliverPorts.clock };
    const ids = [
      await sendTestEvent(endpoint, "antler-test", ports),
      await sendTestEvent(endpoint, "antler-test", ports),
    ];
    expect(new Set(ids).size).toBe(2);
    expect(webhooks.sent.map(({ endpointId, eventId }) => [endpointId, eventId])).toEqual(
      ids.map((id) => [endpoint.id, id]),
    );
    expect(JSON.parse(webhooks.sent[0]?.body ?? "")).toEqual({
      specversion: "1.0",
      id: ids[0],
      source: "antler-test",
      type: "antler.test",
      time: "2026-11-23T09:30:00.000Z",
      datacontenttype: "application/json",
      data: { endpointId: endpoint.id },
    });
  });

  it("that the queue does not accept is a transient error", async () => {
    const webhooks = inMemoryWebhooks();
    const sender = { send: async (deliveries: readonly Delivery[]) => new Set(deliveries) };
    const ports = { sender, clock: webhooks.deliverPorts.clock };
    const endpoint = await webhooks.newEndpoint();
    await expect(sendTestEvent(endpoint, "antler-test", ports)).rejects.toThrow(TransientError);
  });
});
