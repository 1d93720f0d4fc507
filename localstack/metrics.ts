import { once } from "node:events";
import { createServer } from "node:http";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { REJECTION_CODES } from "../lib/domain/rejection.ts";
import { DEAD_LETTER_REASONS, RETRY_CAUSES } from "../lib/ledger/ports.ts";
import { METRICS, type Measurement, type MetricName, measurements } from "../lib/runtime/metrics.ts";
import { readQueue } from "./queueFigures.ts";
import type { Settings } from "./settings.ts";

type Labels = Measurement["labels"];

/** What is known before it ever happens starts at zero, so that the first time shows as a step. */
const KNOWN_LABELS: Partial<Record<MetricName, readonly Labels[]>> = {
  Rejections: REJECTION_CODES.map((code) => ({ code })),
  Retries: RETRY_CAUSES.map((cause) => ({ cause })),
  DeadLetters: DEAD_LETTER_REASONS.map((reason) => ({ reason })),
};

/**
 * Serves the local stack's figures to Prometheus: what the functions record, the queues as they stand, this process.
 *
 * @param queueUrls by the name that the queue has in the figures
 * @returns stops it
 */
export async function serveMetrics(
  queueUrls: Readonly<Record<string, string>>,
  { METRICS_PORT, METRICS_HOST }: Pick<Settings, "METRICS_PORT" | "METRICS_HOST">,
): Promise<() => void> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const take = countMeasurements(registry);
  const watchQueues = gaugeQueues(registry, queueUrls);
  const server = createServer(async (_request, response) => {
    await watchQueues();
    response.setHeader("content-type", registry.contentType).end(await registry.metrics());
  });
  server.listen(METRICS_PORT, METRICS_HOST);
  await once(server, "listening");
  measurements.subscribe(take);
  return () => {
    measurements.unsubscribe(take);
    server.close();
    server.closeAllConnections();
  };
}

function countMeasurements(registry: Registry): (measurement: unknown) => void {
  const takers = new Map<string, (labels: Labels, value: number) => void>();
  for (const [name, { prometheus, help, labels: labelNames, ...metric }] of Object.entries(METRICS)) {
    const options = { name: prometheus, help, labelNames, registers: [registry] };
    if (metric.kind === "histogram") {
      const histogram = new Histogram({ ...options, buckets: [...metric.buckets] });
      takers.set(name, (labels, value) => histogram.observe(labels, value));
    } else {
      const counter = new Counter(options);
      takers.set(name, (labels, value) => counter.inc(labels, value));
    }
  }
  for (const [name, known] of Object.entries(KNOWN_LABELS)) {
    for (const labels of known) takers.get(name)?.(labels, 0);
  }
  return (measurement) => {
    const { name, labels, value } = measurement as Measurement;
    takers.get(name)?.(labels, value);
  };
}

/** Read at the moment of a scrape; on AWS, CloudWatch has the same. */
function gaugeQueues(registry: Registry, queueUrls: Readonly<Record<string, string>>): () => Promise<void> {
  const registers = [registry];
  const messages = new Gauge({
    name: "antler_queue_messages",
    help: "Messages in a queue: waiting, or handed out and not yet deleted",
    labelNames: ["queue", "state"],
    registers,
  });
  const oldestAge = new Gauge({
    name: "antler_queue_oldest_message_age_seconds",
    help: "Age of the oldest message in a queue, handed out or not; absent where the emulator does not tell",
    labelNames: ["queue"],
    registers,
  });
  const watch = async ([queue, url]: readonly [string, string]) => {
    try {
      const { waiting, inFlight, oldestAgeSeconds } = await readQueue(url);
      messages.set({ queue, state: "waiting" }, waiting);
      messages.set({ queue, state: "in_flight" }, inFlight);
      if (oldestAgeSeconds !== undefined) oldestAge.set({ queue }, oldestAgeSeconds);
    } catch (error) {
      // A gap in the curve says it better than an old figure, and the other figures are still to be had.
      console.error(`The queue ${queue} can't be read`, error);
    }
  };
  return async () => {
    messages.reset();
    oldestAge.reset();
    await Promise.all(Object.entries(queueUrls).map(watch));
  };
}
