import { Webhook } from "standardwebhooks";
import type { Clock } from "../ledger/ports.ts";
import { type Delivery, decodeDelivery, webhookId } from "./delivery.ts";
import { type Endpoint, type EndpointStore, validSecrets } from "./endpoint.ts";
import { type Post, PostError } from "./post.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** After the first attempt, the second, and so on: about a day in all. The last attempt has no pause. */
const PAUSES_SECONDS = [5, MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR];
export const ATTEMPTS_MAX = PAUSES_SECONDS.length + 1;
/** Each pause is up to a fifth shorter or longer, so that deliveries that failed together do not return together. */
const JITTER = 0.2;
/** The table has the last success and the last failure of an endpoint at most once in this time, while nothing changes. */
const RESULT_INTERVAL_MS = 60_000;

/** A message of the deliveries queue. */
export interface DeliveryRecord {
  readonly recordId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** From 1. */
  readonly attempt: number;
}

export interface DeliveryQueue {
  /** Hides a record that this invocation fails; without it the record returns after the queue's visibility timeout. */
  delay(record: DeliveryRecord, seconds: number): Promise<void>;
  /** Sends a record to the queue of failed deliveries. */
  sendToFailures(record: DeliveryRecord, reason: string): Promise<void>;
}

/** Why a delivery is not attempted, or not attempted again. */
type DropReason = "deleted" | "disabled" | "gone";

/** Observes deliveries. Must not throw. */
export interface DeliveryObserver {
  delivered(delivery: Delivery, attempt: number, seconds: number): void;
  failed(delivery: Delivery, attempt: number, reason: string): void;
  dropped(delivery: Delivery, reason: DropReason): void;
  /** `delivery` is absent for a body that is none. */
  deadLettered(record: DeliveryRecord, delivery: Delivery | undefined, reason: string): void;
  /** The ledger could not do its own part; the queue delivers the record again. */
  errored(record: DeliveryRecord, error: unknown): void;
}

export interface DeliverPorts {
  readonly endpoints: Pick<EndpointStore, "find" | "update">;
  readonly queue: DeliveryQueue;
  readonly post: Post;
  readonly clock: Pick<Clock, "now" | "random">;
  readonly observer: DeliveryObserver;
}

/**
 * Delivers records to their endpoints, all at the same time.
 *
 * @returns ids of the records that the queue must deliver again
 */
export async function deliver(records: readonly DeliveryRecord[], ports: DeliverPorts): Promise<readonly string[]> {
  const results = await Promise.all(records.map((record) => isDone(record, ports)));
  return records.filter((_, index) => !results[index]).map(({ recordId }) => recordId);
}

async function isDone(record: DeliveryRecord, ports: DeliverPorts): Promise<boolean> {
  try {
    return await handle(record, ports);
  } catch (error) {
    ports.observer.errored(record, error);
    return false;
  }
}

/** @returns false if the queue must deliver the record again */
async function handle(record: DeliveryRecord, ports: DeliverPorts): Promise<boolean> {
  const { endpoints, queue, clock, observer } = ports;
  const { attempt } = record;
  const delivery = decodeDelivery(record.body);
  const deadLetter = async (reason: string) => {
    await queue.sendToFailures(record, reason);
    observer.deadLettered(record, delivery, reason);
    return true;
  };
  const drop = (reason: DropReason) => {
    if (delivery) observer.dropped(delivery, reason);
    return true;
  };

  if (!delivery) return deadLetter("malformed");
  const endpoint = await endpoints.find(delivery.endpointId);
  if (!endpoint) return drop("deleted");
  if (endpoint.status === "disabled") return drop("disabled");
  const failure = await attemptDelivery(endpoint, delivery, attempt, ports);
  await recordResult(endpoint, failure, ports).catch((error) => observer.errored(record, error));
  if (failure === undefined) return true;
  observer.failed(delivery, attempt, failure);
  if (failure === "HTTP 410") {
    const change = { status: "disabled", disabledReason: failure } as const;
    // Not if an operator has changed the URL meanwhile.
    await endpoints.update(endpoint.id, change, { url: endpoint.url });
    return drop("gone");
  }
  const pauseSeconds = PAUSES_SECONDS[attempt - 1];
  if (pauseSeconds === undefined) return deadLetter(failure);
  await queue.delay(record, Math.round(pauseSeconds * (1 + JITTER * (2 * clock.random() - 1))));
  return false;
}

/** @returns why it failed, in one line without anything that the receiver sent; `undefined` if it succeeded */
async function attemptDelivery(
  endpoint: Endpoint,
  delivery: Delivery,
  attempt: number,
  { post, clock, observer }: DeliverPorts,
): Promise<string | undefined> {
  const startedAt = clock.now();
  const id = webhookId(delivery);
  const signatures = validSecrets(endpoint, clock).map((secret) =>
    new Webhook(secret).sign(id, startedAt, delivery.body),
  );
  const headers = {
    "content-type": "application/json",
    "user-agent": "Antler",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(startedAt.getTime() / 1000)),
    "webhook-signature": signatures.join(" "),
  };
  try {
    const status = await post(endpoint.url, headers, delivery.body);
    if (status < 200 || status > 299) return `HTTP ${status}`;
    observer.delivered(delivery, attempt, (clock.now().getTime() - startedAt.getTime()) / 1000);
    return undefined;
  } catch (error) {
    if (error instanceof PostError) return error.message;
    throw error;
  }
}

/** Shows operators the last success and the last failure, without a write for each delivery. */
async function recordResult(
  { id, url, lastSuccess, lastFailure }: Endpoint,
  failure: string | undefined,
  { endpoints, clock }: DeliverPorts,
): Promise<void> {
  const now = clock.now();
  const at = now.toISOString();
  const [same, other] = failure === undefined ? [lastSuccess, lastFailure] : [lastFailure, lastSuccess];
  const isChange = same === undefined || (other !== undefined && other.at > same.at);
  if (!isChange && now.getTime() - Date.parse(same.at) < RESULT_INTERVAL_MS) return;
  const change = failure === undefined ? { lastSuccess: { at } } : { lastFailure: { at, reason: failure } };
  await endpoints.update(id, change, { url });
}
