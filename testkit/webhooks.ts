import type { DeliverPorts, DeliveryRecord } from "../lib/webhooks/deliver.ts";
import { type Delivery, encodeDelivery } from "../lib/webhooks/delivery.ts";
import { ENDPOINTS_MAX, type Endpoint, type EndpointStore, newEndpoint } from "../lib/webhooks/endpoint.ts";
import type { DeliverySender } from "../lib/webhooks/publish.ts";

/** Webhooks without DynamoDB, SQS and a network. */
export function inMemoryWebhooks() {
  const stored = new Map<string, Endpoint>();
  const sent: Delivery[] = [];
  const delays: { readonly recordId: string; readonly seconds: number }[] = [];
  const failures: { readonly record: DeliveryRecord; readonly reason: string }[] = [];
  const observed: unknown[][] = [];
  let nowMs = Date.parse("2026-11-23T09:30:00.000Z");
  let updates = 0;

  const endpoints: EndpointStore = {
    list: async () => [...stored.values()],
    find: async (id) => stored.get(id),
    async create(endpoint) {
      if (stored.size >= ENDPOINTS_MAX) return false;
      stored.set(endpoint.id, endpoint);
      return true;
    },
    async update(id, change, condition = {}) {
      updates++;
      const before = stored.get(id);
      const isMet = before && Object.entries(condition).every(([name, value]) => Reflect.get(before, name) === value);
      if (!isMet) return undefined;
      const entries = Object.entries({ ...before, ...change }).filter(([, value]) => value !== null);
      const after = Object.fromEntries(entries) as unknown as Endpoint;
      stored.set(id, after);
      return after;
    },
    remove: async (id) => stored.delete(id),
  };
  const sender: DeliverySender = {
    async send(deliveries) {
      sent.push(...deliveries);
      return new Set();
    },
  };
  const observe =
    (name: string) =>
    (...values: unknown[]) => {
      observed.push([name, ...values]);
    };
  const deliverPorts: Omit<DeliverPorts, "post"> = {
    endpoints,
    queue: {
      async delay({ recordId }, seconds) {
        delays.push({ recordId, seconds });
      },
      async sendToFailures(record, reason) {
        failures.push({ record, reason });
      },
    },
    clock: { now: () => new Date(nowMs), random: () => 0.5 },
    observer: {
      delivered: observe("delivered"),
      failed: observe("failed"),
      dropped: observe("dropped"),
      deadLettered: observe("deadLettered"),
      errored: observe("errored"),
    },
  };
  return {
    ...{ endpoints, sender, sent, delays, failures, observed, deliverPorts },
    updates: () => updates,
    pass(milliseconds: number) {
      nowMs += milliseconds;
    },
    async newEndpoint(attributes: Partial<Endpoint> = {}): Promise<Endpoint> {
      const { endpoint } = newEndpoint({ url: "https://example.com/hooks", ...attributes }, deliverPorts.clock);
      const changed = { ...endpoint, ...attributes };
      await endpoints.create(changed);
      return changed;
    },
  };
}

export function deliveryRecord(delivery: Delivery | string, attempt = 1, recordId = "record-1"): DeliveryRecord {
  const body = typeof delivery === "string" ? delivery : encodeDelivery(delivery);
  return { recordId, receiptHandle: `receipt of ${recordId}`, body, attempt };
}
