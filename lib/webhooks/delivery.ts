import * as z from "zod/mini";
import { sha256 } from "../domain/sha256.ts";

/** One event for one endpoint, as it is in the queue. */
export interface Delivery {
  readonly endpointId: string;
  readonly eventId: string;
  /** What is posted: a CloudEvent in JSON. */
  readonly body: string;
}

const schema = z.strictObject({ endpointId: z.string(), eventId: z.string(), body: z.string() });

export function encodeDelivery({ endpointId, eventId, body }: Delivery): string {
  return JSON.stringify({ endpointId, eventId, body });
}

/** @returns `undefined` if the text is not a delivery */
export function decodeDelivery(text: string): Delivery | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The header `webhook-id`: the same at every attempt, and when the event is published or replayed again. */
export function webhookId({ endpointId, eventId }: Pick<Delivery, "endpointId" | "eventId">): string {
  return `msg_${sha256(JSON.stringify([endpointId, eventId]))}`;
}
