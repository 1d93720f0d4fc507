import { readFileSync } from "node:fs";
import * as z from "zod";

/** The Grafana dashboard as far as it matters outside of Grafana: its panels and what each asks of Prometheus. */
const panelSchema = z.object({
  title: z.string(),
  type: z.enum(["row", "stat", "timeseries"]),
  gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
  datasource: z.object({ uid: z.string() }).optional(),
  targets: z.array(z.object({ expr: z.string().min(1), legendFormat: z.string() })).default([]),
  fieldConfig: z
    .object({
      defaults: z.object({
        unit: z.string(),
        custom: z.object({ stacking: z.object({ mode: z.string() }) }).optional(),
        mappings: z.array(z.object({ options: z.record(z.string(), z.object({ text: z.string() })) })).default([]),
        thresholds: z
          .object({ steps: z.array(z.object({ color: z.string(), value: z.number().nullable() })) })
          .optional(),
      }),
    })
    .optional(),
});
export type Panel = z.output<typeof panelSchema>;

export function readPanels(): Panel[] {
  const text = readFileSync(new URL("grafana/dashboards/antler.json", import.meta.url), "utf8");
  return z.object({ panels: z.array(panelSchema) }).parse(JSON.parse(text)).panels;
}

export interface Span {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly stepSeconds: number;
  /** How often Prometheus scrapes. */
  readonly scrapeSeconds: number;
}

export interface Series {
  readonly name: string;
  /** Unix seconds and value. */
  readonly points: readonly (readonly [number, number])[];
}

const answerSchema = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string().transform(Number)])),
      }),
    ),
  }),
});

/** What Grafana would show in a panel over a span of time. */
export async function readPanel(panel: Panel, prometheusUrl: string, span: Span): Promise<Series[]> {
  const series = await Promise.all(
    panel.targets.map(async ({ expr, legendFormat }) => {
      const { data } = await ask(expr.replaceAll("$__rate_interval", rateInterval(span)), prometheusUrl, span);
      return data.result.map(({ metric, values }) => ({
        name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? ""),
        points: values.filter(([, value]) => Number.isFinite(value)),
      }));
    }),
  );
  return series.flat().filter(({ points }) => points.length > 0);
}

/** As Grafana reckons it: four scrapes, or a step and a scrape. */
function rateInterval({ stepSeconds, scrapeSeconds }: Span): string {
  return `${Math.max(4 * scrapeSeconds, stepSeconds + scrapeSeconds)}s`;
}

async function ask(query: string, prometheusUrl: string, { startSeconds, endSeconds, stepSeconds }: Span) {
  const parameters = { query, start: String(startSeconds), end: String(endSeconds), step: String(stepSeconds) };
  const response = await fetch(new URL(`/api/v1/query_range?${new URLSearchParams(parameters)}`, prometheusUrl));
  if (!response.ok) throw new Error(`${query}: ${await response.text()}`);
  return answerSchema.parse(await response.json());
}
