import { channel } from "node:diagnostics_channel";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";

interface Definition {
  /** Its name in Prometheus; in CloudWatch it goes by its key. */
  readonly prometheus: string;
  readonly kind: "counter" | "histogram";
  readonly help: string;
  /** Names of the labels. No user, no transaction and no amount may be one: each value is a series that stays. */
  readonly labels: readonly string[];
  /** Seconds unless it is a count. */
  readonly unit: typeof MetricUnit.Count | typeof MetricUnit.Seconds;
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const BATCH_BUCKETS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** Every figure that Antler records. */
export const METRICS = {
  RequestDuration: {
    prometheus: "antler_http_request_duration_seconds",
    kind: "histogram",
    help: "HTTP requests by route and status class, and how long each took",
    labels: ["route", "status"],
    unit: MetricUnit.Seconds,
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 25],
  },
  Commands: {
    prometheus: "antler_commands_total",
    kind: "counter",
    help: "Commands that were decided, by what became of them",
    labels: ["type", "currency", "outcome"],
    unit: MetricUnit.Count,
  },
  Rejections: {
    prometheus: "antler_rejections_total",
    kind: "counter",
    help: "Commands that were rejected, by reason",
    labels: ["code"],
    unit: MetricUnit.Count,
  },
  DecisionDelay: {
    prometheus: "antler_decision_delay_seconds",
    kind: "histogram",
    help: "Time from a command being accepted to its being decided",
    labels: [],
    unit: MetricUnit.Seconds,
    buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300],
  },
  DeliverySize: {
    prometheus: "antler_delivery_records",
    kind: "histogram",
    help: "Records that the queue delivered at once",
    labels: [],
    unit: MetricUnit.Count,
    buckets: BATCH_BUCKETS,
  },
  FoldSize: {
    prometheus: "antler_fold_commands",
    kind: "histogram",
    help: "Commands of one user that one write decided",
    labels: [],
    unit: MetricUnit.Count,
    buckets: BATCH_BUCKETS,
  },
  Retries: {
    prometheus: "antler_retries_total",
    kind: "counter",
    help: "Rounds of read, decide and write that had to be made again, by cause",
    labels: ["cause"],
    unit: MetricUnit.Count,
  },
  FailedRecords: {
    prometheus: "antler_failed_records_total",
    kind: "counter",
    help: "Records that went back to the queue to be delivered again",
    labels: [],
    unit: MetricUnit.Count,
  },
  DeadLetters: {
    prometheus: "antler_dead_letters_total",
    kind: "counter",
    help: "Records that the consumer set aside, by reason",
    labels: ["reason"],
    unit: MetricUnit.Count,
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
 * Where measurements go, for whoever is in the process to listen. Each function is a bundle with modules of its own;
 * this channel is Node's, so all of them have the same one.
 */
export const measurements = channel("antler:metrics");

/** Records a figure: to the listeners if there are any, else for the next {@link publishMetrics}. */
export function record<Name extends MetricName>(name: Name, value: number, labels: Labels<Name>): void {
  const measurement: Measurement = { name, value, labels };
  if (measurements.hasSubscribers) measurements.publish(measurement);
  else store(measurement);
}

/** What an invocation has recorded: CloudWatch's embedded metric format wants a document for each set of labels. */
const documents = new Map<string, Metrics>();

function store({ name, value, labels }: Measurement): void {
  const key = JSON.stringify(labels);
  let document = documents.get(key);
  if (!document) {
    document = new Metrics({ defaultDimensions: labels });
    documents.set(key, document);
  }
  document.addMetric(name, METRICS[name].unit, value);
}

/**
 * Writes what was recorded since the last time to the log, where CloudWatch finds it. To be called at the end of every
 * invocation. The namespace is `POWERTOOLS_METRICS_NAMESPACE`; the dimension `service`, in every document, is
 * `POWERTOOLS_SERVICE_NAME`.
 */
export function publishMetrics(): void {
  for (const document of documents.values()) document.publishStoredMetrics();
  documents.clear();
}
