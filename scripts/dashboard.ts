import { writeFileSync } from "node:fs";
import * as z from "zod";
import { type Panel, readPanel, readPanels, type Series, type Span } from "../localstack/dashboard.ts";
import { readArguments, wholeNumber } from "./command.ts";

const USAGE = `Usage: npx node scripts/dashboard.ts [--prometheus URL] [--minutes N] [--until TIME] [--out FILE]

Draws the Grafana dashboard without Grafana, from what its queries return: the last N minutes (15) until TIME (now), from the
Prometheus at URL (http://localhost:9090), as an SVG into FILE. Exits with 1 when a panel has no data, and names it.`;

const values = readArguments({
  usage: USAGE,
  options: {
    prometheus: z.url({ protocol: /^https?$/, error: "must be an HTTP URL" }).default("http://localhost:9090"),
    minutes: wholeNumber(1).default(15),
    until: z.iso.datetime({ offset: true, error: "must be a time such as 2026-11-23T09:30:00Z" }).optional(),
    out: z.string().min(1, "must not be empty").optional(),
  },
});

const COLUMN = 60;
const LINE = 30;
const GAP = 8;
const COLORS = [
  "#73bf69",
  "#f2cc0c",
  "#5794f2",
  "#ff780a",
  "#f2495c",
  "#b877d9",
  "#8ab8ff",
  "#fade2a",
  "#37872d",
  "#c4162a",
];
const STAT_COLORS: Record<string, string> = { green: "#73bf69", orange: "#ff9830", red: "#f2495c", blue: "#5794f2" };
const POINTS = 90;

const endSeconds = Math.floor((values.until ? Date.parse(values.until) : Date.now()) / 1000);
const startSeconds = endSeconds - values.minutes * 60;
const stepSeconds = Math.max(1, Math.round((endSeconds - startSeconds) / POINTS));
const span: Span = { startSeconds, endSeconds, stepSeconds, scrapeSeconds: 5 };

const panels = readPanels();
const drawn = await Promise.all(
  panels.map(async (panel) => ({ panel, series: await readPanel(panel, values.prometheus, span) })),
);
if (values.out) writeFileSync(values.out, toSvg());
const empty = drawn.filter(({ panel, series }) => panel.type !== "row" && series.length === 0);
for (const { panel } of empty) console.error(`No data: ${panel.title}`);
console.log(`${drawn.filter(({ series }) => series.length > 0).length} panels have data`);
process.exitCode = empty.length > 0 ? 1 : 0;

function toSvg(): string {
  const width = 24 * COLUMN + GAP;
  const height = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * LINE + GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="Inter, Helvetica, sans-serif">`,
    `<rect width="${width}" height="${height}" fill="#111217"/>`,
    ...drawn.map(({ panel, series }) => drawPanel(panel, series)),
    "</svg>\n",
  ].join("\n");
}

function drawPanel(panel: Panel, series: readonly Series[]): string {
  const { x, y, w, h } = panel.gridPos;
  const [left, top, width, height] = [x * COLUMN + GAP, y * LINE + GAP, w * COLUMN - GAP, h * LINE - GAP];
  const content = { row: () => "", stat: drawStat, timeseries: drawCurves }[panel.type](panel, series, width, height);
  const frame = `<rect width="${width}" height="${height}" rx="3" fill="#181b1f" stroke="#2c3036"/>`;
  const size = panel.type === "row" ? 16 : 13;
  return [
    `<g transform="translate(${left},${top})">`,
    panel.type === "row" ? "" : frame,
    text(panel.type === "row" ? 2 : 10, 19, panel.title, size, "#d8d9da", "start", panel.type === "row" ? 600 : 500),
    content,
    "</g>",
  ].join("");
}

function drawStat(panel: Panel, series: readonly Series[], width: number, height: number): string {
  const value = series[0]?.points.at(-1)?.[1];
  if (value === undefined) return text(width / 2, height / 2 + 12, "No data", 16, "#8e8e8e", "middle");
  const { mappings = [], thresholds, unit = "short" } = panel.fieldConfig?.defaults ?? {};
  const mapped = mappings[0]?.options[String(value)]?.text;
  const step = thresholds?.steps.findLast((each) => each.value === null || value >= each.value);
  const color = STAT_COLORS[step?.color ?? "blue"] ?? "#5794f2";
  return text(width / 2, height / 2 + 24, mapped ?? format(value, unit), 34, color, "middle", 600);
}

function drawCurves(panel: Panel, series: readonly Series[], width: number, height: number): string {
  const { unit = "short", custom } = panel.fieldConfig?.defaults ?? {};
  const legend = legendOf(series, width - 20);
  const [left, right, top, bottom] = [52, width - 10, 34, height - 24 - 16 * legend.lines];
  const curves = custom?.stacking.mode === "normal" ? stack(series) : series;
  const most = Math.max(0, ...curves.flatMap(({ points }) => points.map(([, value]) => value)));
  const scale = niceScale(most);
  const toX = (seconds: number) => left + ((seconds - startSeconds) / (endSeconds - startSeconds)) * (right - left);
  const toY = (value: number) => bottom - (value / scale.top) * (bottom - top);
  const grid = scale.ticks.map(
    (tick) =>
      `<path d="M${left} ${round(toY(tick))}H${right}" stroke="#2c3036"/>${text(left - 6, toY(tick) + 4, format(tick, unit), 10, "#8e8e8e", "end")}`,
  );
  const times = [0.1, 0.5, 0.9].map((part) => {
    const seconds = startSeconds + part * (endSeconds - startSeconds);
    return text(
      toX(seconds),
      bottom + 14,
      new Date(seconds * 1000).toISOString().slice(11, 19),
      10,
      "#8e8e8e",
      "middle",
    );
  });
  const lines = curves.map(({ points }, index) => {
    const path = points.map(([seconds, value]) => `${round(toX(seconds))} ${round(toY(value))}`).join("L");
    return `<path d="M${path}" fill="none" stroke="${COLORS[index % COLORS.length]}" stroke-width="1.4"/>`;
  });
  return [...grid, ...times, ...lines.reverse(), legend.draw(height - 16 * legend.lines + 4)].join("");
}

/** Each series on top of those before it, at every time that one of them has. */
function stack(series: readonly Series[]): Series[] {
  const heights = new Map<number, number>();
  return series.map(({ name, points }) => ({
    name,
    points: points.map(([seconds, value]) => {
      const height = (heights.get(seconds) ?? 0) + value;
      heights.set(seconds, height);
      return [seconds, height] as const;
    }),
  }));
}

function legendOf(series: readonly Series[], width: number): { lines: number; draw(top: number): string } {
  let [x, line] = [0, 0];
  const entries = series.map(({ name }, index) => {
    const length = 22 + name.length * 5.6;
    if (x > 0 && x + length > width) [x, line] = [0, line + 1];
    const entry = { name, x: x + 10, line, color: COLORS[index % COLORS.length] ?? "" };
    x += length;
    return entry;
  });
  return {
    lines: line + 1,
    draw: (top) =>
      entries
        .map(
          (entry) =>
            `<rect x="${round(entry.x)}" y="${top + entry.line * 16 - 1}" width="10" height="3" fill="${entry.color}"/>` +
            text(entry.x + 14, top + entry.line * 16 + 4, entry.name, 10, "#c7c8ca"),
        )
        .join(""),
  };
}

function niceScale(most: number): { top: number; ticks: number[] } {
  if (most === 0) return { top: 1, ticks: [0] };
  const rough = most / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  const count = Math.ceil(most / step);
  return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, index) => index * step) };
}

function format(value: number, unit: string): string {
  const digits = (number: number) => String(Number(number.toPrecision(3)));
  switch (unit) {
    case "s":
      return value > 0 && value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
    case "percentunit":
      return `${digits(value * 100)} %`;
    case "reqps":
    case "cps":
      return `${digits(value)}/s`;
    default:
      return digits(value);
  }
}

function text(
  x: number,
  y: number,
  content: string,
  size: number,
  fill: string,
  anchor = "start",
  weight = 400,
): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}">${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
