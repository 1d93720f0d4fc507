import type { Attempt } from "./attempt.ts";
import { isCommandType } from "./commandNames.ts";
import type { Fields } from "./draft.ts";

/** What the console needs of `sessionStorage`. */
export interface Storage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const nameOf = (subject: string) => `antler.commands.${subject}`;

/** Keeps the commands whose outcome is not known, with their keys. */
export function writeUnresolved(storage: Storage, subject: string, attempts: readonly Attempt[]): void {
  const unresolved = attempts.filter(({ state }) => state !== "refused" && state !== "settled");
  if (unresolved.length === 0) storage.removeItem(nameOf(subject));
  else storage.setItem(nameOf(subject), JSON.stringify(unresolved.map(stored)));
}

/** @returns the commands that were kept; what is not one of them is ignored */
export function readUnresolved(storage: Storage, subject: string): readonly Attempt[] {
  const values = parse(storage.getItem(nameOf(subject)) ?? "[]");
  return Array.isArray(values) ? values.flatMap((value) => attemptIn(value) ?? []) : [];
}

function stored({ draft, idempotencyKey, ...attempt }: Attempt) {
  const transactionId = attempt.state === "accepted" ? attempt.transactionId : undefined;
  return { ...draft, idempotencyKey, state: attempt.state, transactionId };
}

function attemptIn(value: unknown): Attempt | undefined {
  const { type, userId, refersTo, fields, idempotencyKey, state, transactionId }: Partial<Record<string, unknown>> =
    Object(value);
  if (!isCommandType(type) || typeof userId !== "string" || typeof idempotencyKey !== "string" || !isFields(fields)) {
    return undefined;
  }
  const refers = typeof refersTo === "string" ? { refersTo } : {};
  const sent = { draft: { type, userId, ...refers, fields }, idempotencyKey };
  if (state === "accepted" && typeof transactionId === "string") return { ...sent, state, transactionId };
  return state === "sending" || state === "unknown" ? { ...sent, state } : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && Object.values(value).every((each) => typeof each === "string");
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
