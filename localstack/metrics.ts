import { createServer } from "node:http";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { SOURCE_TYPES } from "../lib/domain/movements/credit.ts";
import { REJECTION_CODES } from "../lib/domain/rejection.ts";
import { HOLD_STATUSES } from "../lib/domain/transaction.ts";
import { DEAD_LETTER_REASONS, RETRY_CAUSES } from "../lib/ledger/ports.ts";
import { METRICS, type Measurement, type MetricName, measurements } from "../lib/runtime/metrics.ts";
import { DELIVERY_OUTCOMES } from "../lib/runtime/telemetry.ts";
import { readQueueStats } from "./queueStats.ts";
import type { Settings } from "./settings.ts";
import { listen } from "./tcp.ts";

type Labels = Measurement["labels"];

/** Counters with these labels start at zero: Prometheus then shows their first increment. */
const KNOWN_LABELS: Partial<Record<MetricName, readonly Labels[]>> = {
  Rejections: REJECTION_CODES.map((code) => ({ code })),
  EmittedCredits: SOURCE_TYPES.map((source) => ({ source })),
  ClosedHolds: HOLD_STATUSES.filter((status) => status !== "open").map((status) => ({ status })),
  Retries: RETRY_CAUSES.map((cause) => ({ cause })),
  DeadLetters: DEAD_LETTER_REASONS.map((reason) => ({ reason })),
  WebhookDeliveries: DELIVERY_OUTCOMES.map((outcome) => ({ outcome })),
};

/**
 * Serves the local stack's metrics to Prometheus: the functions' own, the queues' and this process's.
 *
 * @param queueUrls by the queue's name in the metrics
 * @returns stops the server
 */
export async function serveMetrics(
  queueUrls: Readonly<Record<string, string>>,
  { METRICS_PORT, METRICS_HOST }: Pick<Settings, "METRICS_PORT" | "METRICS_HOST">,
): Promise<() => void> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const record = recorderOf(registry);
  const updateQueues = queueGauges(registry, queueUrls);
  const server = createServer(async (_request, response) => {
    await updateQueues();
    response.setHeader("content-type", registry.contentType).end(await registry.metrics());
  });
  await listen(server, METRICS_PORT, METRICS_HOST);
  measurements.subscribe(record);
  return () => {
    measurements.unsubscribe(record);
    server.close();
    server.closeAllConnections();
  };
}

function recorderOf(registry: Registry): (measurement: unknown) => void {
  const recorders = new Map<string, (labels: Labels, value: number) => void>();
  for (const [name, { prometheus, help, labels: labelNames, ...metric }] of Object.entries(METRICS)) {
    const options = { name: prometheus, help, labelNames, registers: [registry] };
    if (metric.kind === "histogram") {
      const histogram = new Histogram({ ...options, buckets: [...metric.buckets] });
      recorders.set(name, (labels, value) => histogram.observe(labels, value));
    } else if (metric.kind === "gauge") {
      const gauge = new Gauge(options);
      recorders.set(name, (labels, value) => gauge.set(labels, value));
    } else {
      const counter = new Counter(options);
      recorders.set(name, (labels, value) => counter.inc(labels, value));
    }
  }
  for (const [name, known] of Object.entries(KNOWN_LABELS)) {
    for (const labels of known) recorders.get(name)?.(labels, 0);
  }
  return (measurement) => {
    const { name, labels, value } = measurement as Measurement;
    recorders.get(name)?.(labels, value);
  };
}

/** Read at each scrape; on AWS, CloudWatch has the same metrics. */
function queueGauges(registry: Registry, queueUrls: Readonly<Record<string, string>>): () => Promise<void> {
  const registers = [registry];
  const messages = new Gauge({
    name: "antler_queue_messages",
    help: "Messages in a queue: waiting, or received and not yet deleted",
    labelNames: ["queue", "state"],
    registers,
  });
  const oldestAge = new Gauge({
    name: "antler_queue_oldest_message_age_seconds",
    help: "Age of the oldest message in a queue, received or not; absent where the emulator does not report it",
    labelNames: ["queue"],
    registers,
  });
  const update = async ([queue, url]: readonly [string, string]) => {
    try {
      const { waiting, inFlight, oldestAgeSeconds } = await readQueueStats(url);
      messages.set({ queue, state: "waiting" }, waiting);
      messages.set({ queue, state: "in_flight" }, inFlight);
      if (oldestAgeSeconds !== undefined) oldestAge.set({ queue }, oldestAgeSeconds);
    } catch (error) {
      // The graph then has a gap instead of an old value, and the other metrics are still served.
      console.error(`The queue ${queue} can't be read`, error);
    }
  };
  return async () => {
    messages.reset();
    oldestAge.reset();
    await Promise.all(Object.entries(queueUrls).map(update));
  };
}
