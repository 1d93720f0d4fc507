import { HttpProblem } from "./problem.ts";

/**
 * A cursor is a sequence number, made opaque so that nobody builds on it. It names no user: a page is always read from
 * the wallet in the path, so another user's cursor shows nothing of that user.
 */
export function writeCursor(beforeSequence: number): string {
  return Buffer.from(`v1:${beforeSequence}`).toString("base64url");
}

/** @throws HttpProblem `invalid_cursor` */
export function readCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const sequence = /^v1:([1-9][0-9]{0,14})$/.exec(Buffer.from(cursor, "base64url").toString())?.[1];
  if (sequence === undefined) throw new HttpProblem("invalid_cursor");
  return Number(sequence);
}
