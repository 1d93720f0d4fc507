import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { METRICS, type Measurement, measurements, publishMetrics, record } from "./metrics.ts";

const received: Measurement[] = [];
const listen = (measurement: unknown) => void received.push(measurement as Measurement);
const log = vi.spyOn(console, "log");

/** The documents for CloudWatch in the log. */
const documents = () => log.mock.calls.map(([line]) => JSON.parse(line));

beforeEach(() => {
  received.length = 0;
  log.mockReset().mockReturnValue();
  vi.stubEnv("POWERTOOLS_METRICS_NAMESPACE", "Antler");
  vi.stubEnv("POWERTOOLS_SERVICE_NAME", "antler-test");
  vi.stubEnv("POWERTOOLS_METRICS_DISABLED", "false");
  // Makes Powertools write to the global console, which this test mocks.
  vi.stubEnv("POWERTOOLS_DEV", "true");
});

afterEach(() => {
  publishMetrics();
  measurements.unsubscribe(listen);
  vi.unstubAllEnvs();
});

describe("a measurement", () => {
  it("is in the log once, without a warning, when an invocation decides 100 commands", () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    for (let step = 1; step <= 100; step++) record("DecisionDelay", step, {});
    publishMetrics();
    expect(documents().flatMap(({ DecisionDelay }) => DecisionDelay)).toHaveLength(100);
    expect(warn).not.toHaveBeenCalled();
  });

  it("is in the CloudWatch document of its labels at the end of the invocation", () => {
    record("Commands", 1, { type: "deposit", currency: "USD", outcome: "posted" });
    record("Commands", 1, { type: "deposit", currency: "USD", outcome: "posted" });
    record("Commands", 1, { type: "deposit", currency: "EUR", outcome: "posted" });
    record("FoldSize", 2, {});
    record("FoldSize", 1, {});
    record("DecisionDelay", 0.025, {});
    expect(log).not.toHaveBeenCalled();

    publishMetrics();

    const [dollars, euros, whole] = documents();
    expect(documents()).toHaveLength(3);
    expect(dollars).toMatchObject({ type: "deposit", currency: "USD", outcome: "posted", Commands: [1, 1] });
    expect(euros).toMatchObject({ currency: "EUR", Commands: 1 });
    expect(whole).toMatchObject({ service: "antler-test", FoldSize: [2, 1], DecisionDelay: 0.025 });
    const [directive] = whole._aws.CloudWatchMetrics;
    expect(directive).toMatchObject({ Namespace: "Antler", Dimensions: [["service"]] });
    expect(directive.Metrics).toContainEqual({ Name: "DecisionDelay", Unit: "Seconds" });
    expect(dollars._aws.CloudWatchMetrics[0].Dimensions).toEqual([["service", "type", "currency", "outcome"]]);
  });

  it("is written once", () => {
    record("FailedRecords", 3, {});
    publishMetrics();
    publishMetrics();
    expect(documents()).toHaveLength(1);
  });

  it("goes to a subscriber in this process and then not to the log", () => {
    measurements.subscribe(listen);
    record("Retries", 1, { cause: "conflict" });
    publishMetrics();
    expect(received).toEqual([{ name: "Retries", value: 1, labels: { cause: "conflict" } }]);
    expect(log).not.toHaveBeenCalled();
  });
});

describe("the metrics", () => {
  it("have valid names for Prometheus and no label with unbounded values", () => {
    const bounded = ["route", "status", "type", "currency", "outcome", "code", "cause", "reason", "source"];
    for (const { prometheus, kind, labels, unit } of Object.values(METRICS)) {
      expect(prometheus).toMatch(kind === "counter" ? /^antler_[a-z_]+_total$/ : /^antler_[a-z_]+$/);
      expect(prometheus.endsWith("_seconds")).toBe(unit === "Seconds");
      expect(bounded).toEqual(expect.arrayContaining([...labels]));
    }
  });
});
