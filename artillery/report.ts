import * as z from "zod";
import { table } from "../scripts/table.ts";

/** The part of Artillery's report that is read here; all times are milliseconds. */
const reportSchema = z.object({
  aggregate: z.object({
    counters: z.record(z.string(), z.number()),
    summaries: z.record(
      z.string(),
      z.object({ count: z.number(), p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() }),
    ),
    firstCounterAt: z.number(),
    lastCounterAt: z.number(),
  }),
});

const ENDPOINTS = "plugins.metrics-by-endpoint.";
const TIMES = `${ENDPOINTS}response_time.`;

export interface Report {
  /** A table of the endpoints, then the totals. */
  readonly text: string;
  readonly failed: boolean;
}

export function readReport(json: string): Report {
  const { counters, summaries, firstCounterAt, lastCounterAt } = reportSchema.parse(JSON.parse(json)).aggregate;
  const rows = Object.entries(summaries)
    .filter(([name]) => name.startsWith(TIMES))
    .map(([name, { count, p50, p95, p99, max }]) => {
      const endpoint = name.slice(TIMES.length);
      const statuses = countersBelow(counters, `${ENDPOINTS}${endpoint}.codes.`);
      return { endpoint, count, "p50 ms": p50, "p95 ms": p95, "p99 ms": p99, "max ms": max, "status: count": statuses };
    })
    .sort((a, b) => a.endpoint.localeCompare(b.endpoint));

  const requests = counters["http.requests"] ?? 0;
  const seconds = (lastCounterAt - firstCounterAt) / 1000;
  const unexpected = counters["plugins.expect.failed"] ?? 0;
  const errors = countersBelow(counters, "errors.");
  const lines = [
    table(rows),
    "",
    `Requests     ${requests} in ${seconds.toFixed(1)} s: ${(requests / seconds).toFixed(1)} a second`,
    `Statuses     ${countersBelow(counters, "http.codes.")}`,
    `Unexpected   ${unexpected} responses differed from the scenarios' expectations`,
    `Errors       ${errors || "none"}`,
  ];
  return { text: lines.join("\n"), failed: requests === 0 || unexpected > 0 || errors !== "" };
}

function countersBelow(counters: Readonly<Record<string, number>>, prefix: string): string {
  return Object.entries(counters)
    .filter(([name, count]) => name.startsWith(prefix) && count > 0)
    .map(([name, count]) => `${name.slice(prefix.length)}: ${count}`)
    .join(", ");
}
