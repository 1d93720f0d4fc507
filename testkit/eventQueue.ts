import { type EventView, eventSchema } from "../lib/http/schemas.ts";
import { awsEnvironment, readSettings } from "../localstack/settings.ts";
import { EventQueue } from "../scripts/eventQueue.ts";

/** The events of a local stack, as a subscribed queue gets them. */

const TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:antler-local-events.fifo";
const PUBLISHED_WITHIN_MS = 60_000;

/** A queue for the events of the stack with these settings, which this process then uses. */
export function localEventQueue(stackEnvironment: Readonly<Record<string, string>>): EventQueue {
  Object.assign(process.env, awsEnvironment(readSettings(stackEnvironment)));
  return new EventQueue(TOPIC_ARN);
}

/** Receives events until there are as many different ones as there should be, for a minute at most, and then the last repeats. */
export async function receiveEvents(queue: EventQueue, count: number): Promise<EventView[]> {
  const events: EventView[] = [];
  const deadline = Date.now() + PUBLISHED_WITHIN_MS;
  const neverAborted = new AbortController().signal;
  for (;;) {
    const bodies = await queue.receive(neverAborted, 1);
    events.push(...bodies.map((body) => eventSchema.parse(JSON.parse(body))));
    const isComplete = new Set(events.map(({ id }) => id)).size >= count;
    if (bodies.length === 0 && (isComplete || Date.now() > deadline)) return events;
  }
}
