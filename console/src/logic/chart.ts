import type { StatementLine } from "../../../packages/client/src/index.ts";
import { subtract, toMinor } from "./amount.ts";

/** The balance from a moment on. */
export interface Step {
  /** ISO 8601 */
  readonly at: string;
  readonly balance: string;
}

/** A balance over time as the steps of an SVG path, and the balances at its edges. */
export interface Chart {
  readonly line: string;
  readonly area: string;
  readonly minimum: string;
  readonly maximum: string;
}

/** Positions are exact to so many parts of a pixel. */
const PRECISION = 100n;

/**
 * Draws a balance into a rectangle. Amounts stay exact: only the pixel positions are rounded.
 *
 * @param steps at least one, oldest first
 * @param end the end of the period, ISO 8601
 */
export function chartOf(steps: readonly Step[], end: string, width: number, height: number): Chart | undefined {
  const [first] = steps;
  if (!first) return undefined;
  const startMs = Date.parse(first.at);
  const spanMs = Math.max(Date.parse(end) - startMs, 1);
  const sorted = steps.map(({ balance }) => balance).sort(compare);
  const [minimum = first.balance, maximum = first.balance] = [sorted[0], sorted.at(-1)];
  // A balance that never changes is drawn at the bottom if it is zero, otherwise at the top.
  const bottom = toMinor(minimum) === toMinor(maximum) ? 0n : toMinor(minimum);
  const range = toMinor(maximum) - bottom || 1n;

  const x = (at: string) => round((Math.max(Date.parse(at) - startMs, 0) / spanMs) * width);
  const y = (balance: string) => {
    const part = ((toMinor(balance) - bottom) * BigInt(height) * PRECISION) / range;
    return height - Number(part) / Number(PRECISION);
  };
  const path = steps.map(({ at, balance }, index) => (index === 0 ? `M0 ${y(balance)}` : `H${x(at)}V${y(balance)}`));
  const line = `${path.join("")}H${width}`;
  return { line, area: `${line}V${height}H0Z`, minimum: bottom === 0n ? subtract(minimum, minimum) : minimum, maximum };
}

/**
 * The balance of a statement over time.
 *
 * @param from start of the period, ISO 8601; without one it starts at the first line
 */
export function stepsOf(
  opening: string,
  from: string | undefined,
  lines: readonly Pick<StatementLine, "decidedAt" | "balance">[],
): readonly Step[] {
  const start = from ?? lines[0]?.decidedAt;
  return [
    ...(start === undefined ? [] : [{ at: start, balance: opening }]),
    ...lines.map(({ decidedAt, balance }) => ({ at: decidedAt, balance })),
  ];
}

function compare(a: string, b: string): number {
  const difference = toMinor(a) - toMinor(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function round(pixels: number): number {
  return Math.round(pixels * Number(PRECISION)) / Number(PRECISION);
}
