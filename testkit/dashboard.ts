import { readFileSync } from "node:fs";
import * as z from "zod";

const dashboardSchema = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.enum(["row", "stat", "timeseries"]),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      datasource: z.object({ uid: z.string() }).optional(),
      targets: z.array(z.object({ expr: z.string().min(1) })).default([]),
    }),
  ),
});

/** The panels of the Grafana dashboard, without the titles of its rows. */
export function readPanels() {
  const text = readFileSync(new URL("../localstack/grafana/dashboards/antler.json", import.meta.url), "utf8");
  return dashboardSchema.parse(JSON.parse(text)).panels.filter(({ type }) => type !== "row");
}
