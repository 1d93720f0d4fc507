import { channel } from "node:diagnostics_channel";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";

interface Definition {
  /** Name in Prometheus. The name in CloudWatch is the key in {@link METRICS}. */
  readonly prometheus: string;
  readonly kind: "counter" | "histogram" | "gauge";
  readonly help: string;
  /** Label names. A label must not be a user, a transaction or an amount, because each value makes a time series. */
  readonly labels: readonly string[];
  readonly unit: typeof MetricUnit.Count | typeof MetricUnit.Seconds;
  /** Upper bounds of the buckets of a histogram. */
  readonly buckets?: readonly number[];
}

/** All metrics of the functions. */
export const METRICS = {
  RequestDuration: {
    prometheus: "antler_http_request_duration_seconds",
    kind: "histogram",
    help: "Duration of HTTP requests by route and status class",
    labels: ["route", "status"],
    unit: MetricUnit.Seconds,
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 25],
  },
  Commands: {
    prometheus: "antler_commands_total",
    kind: "counter",
    help: "Decided commands by type, currency and outcome",
    labels: ["type", "currency", "outcome"],
    unit: MetricUnit.Count,
  },
  Rejections: {
    prometheus: "antler_rejections_total",
    kind: "counter",
    help: "Rejected commands by rejection code",
    labels: ["code"],
    unit: MetricUnit.Count,
  },
  EmittedCredits: {
    prometheus: "antler_emitted_credits_total",
    kind: "counter",
    help: "Credits that decisions sent to other wallets, by source; each of them is decided there once",
    labels: ["source"],
    unit: MetricUnit.Count,
  },
  ClosedHolds: {
    prometheus: "antler_closed_holds_total",
    kind: "counter",
    help: "Holds that were captured, released or expired",
    labels: ["status"],
    unit: MetricUnit.Count,
  },
  DecisionDelay: {
    prometheus: "antler_decision_delay_seconds",
    kind: "histogram",
    help: "Time from the acceptance of a command to its decision",
    labels: [],
    unit: MetricUnit.Seconds,
    buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300],
  },
  BatchRecords: {
    prometheus: "antler_batch_records",
    kind: "histogram",
    help: "Records per batch that the consumer received",
    labels: [],
    unit: MetricUnit.Count,
    buckets: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  },
  FoldSize: {
    prometheus: "antler_fold_commands",
    kind: "histogram",
    help: "Commands per user that one write decided",
    labels: [],
    unit: MetricUnit.Count,
    buckets: [1, 2, 3, 5, 10, 20, 50, 100],
  },
  Retries: {
    prometheus: "antler_retries_total",
    kind: "counter",
    help: "Times that the consumer read, decided and wrote commands again, by cause",
    labels: ["cause"],
    unit: MetricUnit.Count,
  },
  FailedRecords: {
    prometheus: "antler_failed_records_total",
    kind: "counter",
    help: "Records that failed and return to the queue",
    labels: [],
    unit: MetricUnit.Count,
  },
  DeadLetters: {
    prometheus: "antler_dead_letters_total",
    kind: "counter",
    help: "Records that the consumer dead-lettered, by reason",
    labels: ["reason"],
    unit: MetricUnit.Count,
  },
  OldestCredit: {
    prometheus: "antler_oldest_credit_seconds",
    kind: "gauge",
    help: "How long the oldest of the credits that the last sweep found has been in transit; 0 if it found none",
    labels: [],
    unit: MetricUnit.Seconds,
  },
  OldestExpiry: {
    prometheus: "antler_oldest_expiry_seconds",
    kind: "gauge",
    help: "How long ago the oldest of the open holds that the last sweep found should have expired; 0 if it found none",
    labels: [],
    unit: MetricUnit.Seconds,
  },
} as const satisfies Record<string, Definition>;

export type MetricName = keyof typeof METRICS;
type Labels<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]["labels"][number], string>>;

export interface Measurement {
  readonly name: MetricName;
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Publishes measurements to subscribers in this process, such as the local metrics endpoint. Each function is a bundle
 * with its own modules, but all of them share the channels of Node.
 */
export const measurements = channel("antler:metrics");

/** Records a measurement: for the subscribers if there are any, else for the next {@link publishMetrics}. */
export function record<Name extends MetricName>(name: Name, value: number, labels: Labels<Name>): void {
  const measurement: Measurement = { name, value, labels };
  if (measurements.hasSubscribers) measurements.publish(measurement);
  else store(measurement);
}

/** By labels, because CloudWatch's embedded metric format needs a document for each set. They serve all invocations. */
const documents = new Map<string, Metrics>();
/** Those with measurements of this invocation. */
const recorded = new Set<Metrics>();

function store({ name, value, labels }: Measurement): void {
  const key = JSON.stringify(labels);
  let document = documents.get(key);
  if (!document) {
    document = new Metrics({ defaultDimensions: labels });
    documents.set(key, document);
  }
  document.addMetric(name, METRICS[name].unit, value);
  recorded.add(document);
}

/**
 * Writes the recorded measurements to the log, from which CloudWatch extracts them. Call it at the end of every
 * invocation. `POWERTOOLS_METRICS_NAMESPACE` is the namespace and `POWERTOOLS_SERVICE_NAME` the dimension `service`.
 */
export function publishMetrics(): void {
  for (const document of recorded) {
    // A document writes itself when a metric has 100 values, and warns if it is then empty.
    if (document.hasStoredMetrics()) document.publishStoredMetrics();
  }
  recorded.clear();
}
