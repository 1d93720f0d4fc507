import { type Position, parsePosition, positionText } from "../ledger/position.ts";
import { HttpProblem } from "./problem.ts";

/**
 * A cursor is an opaque position in a history. It has no user id: a page is always read from the wallet in the path, so a
 * cursor from another user reveals nothing about that user.
 */
export function writeCursor(end: Position): string {
  return Buffer.from(positionText(end)).toString("base64url");
}

/** @throws HttpProblem `invalid_cursor` */
export function readCursor(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  const position = parsePosition(Buffer.from(cursor, "base64url").toString());
  if (!position) throw new HttpProblem("invalid_cursor");
  return position;
}
