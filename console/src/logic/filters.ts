import type { TransactionsQuery, TransactionType } from "../../../packages/client/src/index.ts";
import { TYPE_NAMES } from "./describe.ts";

/** The filters of a history or a statement, as the page's URL has them. An empty text is no filter. */
export interface Filters {
  readonly type: string;
  readonly currency: string;
  readonly status: string;
  /** First day, such as `2026-11-30`, in the time zone of the browser. */
  readonly from: string;
  /** Last day, included. */
  readonly to: string;
}

const NAMES = ["type", "currency", "status", "from", "to"] as const;

export function readFilters(query: URLSearchParams): Filters {
  const [type = "", currency = "", status = "", from = "", to = ""] = NAMES.map((name) => query.get(name) ?? "");
  return { type, currency, status, from, to };
}

/** @returns the query of a page with these filters: empty, or with a question mark */
export function writeFilters(filters: Partial<Filters>): string {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filters[name]) query.set(name, filters[name]);
  return query.size > 0 ? `?${query}` : "";
}

export function hasFilters(filters: Filters): boolean {
  return writeFilters(filters) !== "";
}

/** What the API is asked for. A value that is none of the API's, or no day, is no filter. */
export function historyQuery({ type, currency, status, from, to }: Filters): TransactionsQuery {
  return {
    type: isType(type) ? type : undefined,
    currency: currency || undefined,
    status: status === "posted" || status === "rejected" ? status : undefined,
    ...periodOf({ from, to }),
  };
}

/** @returns the start of the first day and the end of the last one, ISO 8601 */
export function periodOf({ from, to }: Pick<Filters, "from" | "to">): { from?: string; to?: string } {
  const start = midnight(from, 0);
  const end = midnight(to, 1);
  return { ...(start && { from: start }), ...(end && { to: end }) };
}

/**
 * The period of a statement, which can't end in the future: one that would has no end, so that it ends now.
 *
 * @param nowMs milliseconds since 1970
 */
export function periodUntil(period: Pick<Filters, "from" | "to">, nowMs: number): { from?: string; to?: string } {
  const { to, ...rest } = periodOf(period);
  return to !== undefined && Date.parse(to) <= nowMs ? { ...rest, to } : rest;
}

/** Midnight in the time zone of the browser, so many days after the day. */
function midnight(day: string, days: number): string | undefined {
  const [year, month, date] = /^\d{4}-\d\d-\d\d$/.test(day) ? day.split("-").map(Number) : [];
  if (year === undefined || month === undefined || date === undefined) return undefined;
  return new Date(year, month - 1, date + days).toISOString();
}

function isType(value: string): value is TransactionType {
  return Object.hasOwn(TYPE_NAMES, value);
}
