import { HttpProblem } from "./problem.ts";

/**
 * A cursor is an opaque sequence number. It has no user id: a page is always read from the wallet in the path, so a cursor
 * from another user reveals nothing about that user.
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
