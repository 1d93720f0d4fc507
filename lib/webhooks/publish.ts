import { randomBytes } from "node:crypto";
import { type Clock, type EventPublisher, TransientError } from "../ledger/ports.ts";
import type { Delivery } from "./delivery.ts";
import { type Endpoint, type EndpointStore, wants } from "./endpoint.ts";

export interface DeliverySender {
  /** @returns the deliveries that may not be in the queue */
  send(deliveries: readonly Delivery[]): Promise<ReadonlySet<Delivery>>;
}

/** Publishes each event to the endpoints that want it: one message for each event and endpoint. */
export function webhookPublisher(endpoints: Pick<EndpointStore, "list">, sender: DeliverySender): EventPublisher {
  return {
    async publish(events) {
      const all = await endpoints.list();
      const deliveries = events.flatMap(({ id: eventId, attributes, body }) =>
        all
          .filter((endpoint) => wants(endpoint, attributes.type))
          .map(({ id: endpointId }) => ({ endpointId, eventId, body })),
      );
      const unsent = deliveries.length > 0 ? await sender.send(deliveries) : new Set<Delivery>();
      return new Set([...unsent].map(({ eventId }) => eventId));
    },
  };
}

/**
 * Sends an endpoint an event that is about no transaction.
 *
 * @param source of the events, as in those of transactions
 * @returns the event's id
 * @throws TransientError if it may not be in the queue
 */
export async function sendTestEvent(
  { id: endpointId }: Endpoint,
  source: string,
  { sender, clock }: { readonly sender: DeliverySender; readonly clock: Pick<Clock, "now"> },
): Promise<string> {
  const eventId = `test/${randomBytes(16).toString("base64url")}`;
  const event = {
    specversion: "1.0",
    id: eventId,
    source,
    type: "antler.test",
    time: clock.now().toISOString(),
    datacontenttype: "application/json",
    data: { endpointId },
  };
  const unsent = await sender.send([{ endpointId, eventId, body: JSON.stringify(event) }]);
  if (unsent.size > 0) throw new TransientError("Send a test event: the queue did not accept it");
  return eventId;
}
