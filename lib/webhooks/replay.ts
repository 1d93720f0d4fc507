import type { Delivery } from "./delivery.ts";
import type { Endpoint } from "./endpoint.ts";
import type { DeliverySender } from "./publish.ts";

/** A message that no attempt delivered. */
export interface FailedDelivery {
  /** Absent for a body that is none. */
  readonly delivery: Delivery | undefined;
  /** Why the last attempt failed, and how many there were; absent if SQS moved the message. */
  readonly reason: string | undefined;
  readonly attempts: string | undefined;
  readonly sentAt: Date;
}

export interface FailedDeliveryQueue<Received extends FailedDelivery> {
  /** @returns none when nothing more can be received */
  receive(): Promise<readonly Received[]>;
  /** Makes messages visible again. */
  release(messages: readonly Received[]): Promise<void>;
  remove(message: Received): Promise<void>;
}

/**
 * Sends failed deliveries again, each before it is removed, so that a replay that is killed loses nothing. What would be
 * dropped or fail again at once stays: a message that is no delivery, and one whose endpoint is not enabled.
 *
 * @param endpointId only those to this endpoint
 * @returns how many stay because of their endpoint
 */
export async function replay<Received extends FailedDelivery>(
  queue: FailedDeliveryQueue<Received>,
  sender: DeliverySender,
  endpoints: readonly Endpoint[],
  endpointId: string | undefined,
  onReplayed: (delivery: Delivery) => void,
): Promise<number> {
  const enabled = new Set(endpoints.filter(({ status }) => status === "enabled").map(({ id }) => id));
  const kept: Received[] = [];
  let notEnabled = 0;
  try {
    for (let received = await queue.receive(); received.length > 0; received = await queue.receive()) {
      kept.push(...received);
      const wanted = received.filter(
        ({ delivery }) => delivery && (endpointId === undefined || delivery.endpointId === endpointId),
      );
      const replayed = wanted.filter(({ delivery }) => delivery && enabled.has(delivery.endpointId));
      notEnabled += wanted.length - replayed.length;
      const deliveries = replayed.flatMap(({ delivery }) => delivery ?? []);
      const unsent = deliveries.length > 0 ? await sender.send(deliveries) : new Set<Delivery>();
      for (const message of replayed) {
        const { delivery } = message;
        if (!delivery || unsent.has(delivery)) continue;
        await queue.remove(message);
        kept.splice(kept.indexOf(message), 1);
        onReplayed(delivery);
      }
    }
    return notEnabled;
  } finally {
    await queue.release(kept);
  }
}
