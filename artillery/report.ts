import * as z from "zod";

/** Artillery's report, as far as it is read here; all times are milliseconds. */
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
  /** A line for each endpoint, then the load as a whole. */
  readonly text: string;
  readonly failed: boolean;
}

export function readReport(json: string): Report {
  const { counters, summaries, firstCounterAt, lastCounterAt } = reportSchema.parse(JSON.parse(json)).aggregate;
  const rows = Object.entries(summaries)
    .filter(([name]) => name.startsWith(TIMES))
    .map(([name, { count, p50, p95, p99, max }]) => {
      const endpoint = name.slice(TIMES.length);
      return [endpoint, count, p50, p95, p99, max, countersBelow(counters, `${ENDPOINTS}${endpoint}.codes.`)];
    })
    .sort(([a], [b]) => String(a).localeCompare(String(b)));
  const table = toTable([["endpoint", "count", "p50 ms", "p95 ms", "p99 ms", "max ms", "status: count"], ...rows]);

  const requests = counters["http.requests"] ?? 0;
  const seconds = (lastCounterAt - firstCounterAt) / 1000;
  const unexpected = counters["plugins.expect.failed"] ?? 0;
  const errors = countersBelow(counters, "errors.");
  const lines = [
    table,
    "",
    `Requests     ${requests} in ${seconds.toFixed(1)} s: ${(requests / seconds).toFixed(1)} a second`,
    `Statuses     ${countersBelow(counters, "http.codes.")}`,
    `Unexpected   ${unexpected} answers were not as the scenarios expect`,
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

/** Columns as wide as they must be; numbers to the right. */
function toTable(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  const isText = (column: number) => column === 0 || column === widths.length - 1;
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return isText(column) ? String(cell).padEnd(width) : String(cell).padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** @param ascending at least one value */
export function percentile(ascending: readonly number[], percent: number): number {
  return ascending[Math.ceil((ascending.length * percent) / 100) - 1] ?? Number.NaN;
}
