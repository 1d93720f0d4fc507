import { describe, expect, it } from "vitest";
import { readCursor, writeCursor } from "./cursor.ts";

const TIME = "2026-11-23T09:30:00.000Z";
const encoded = (text: string) => Buffer.from(text).toString("base64url");

describe("a cursor", () => {
  it.each([1, 25, 999_999_999_999_999])("decodes to the encoded position with sequence %i", (sequence) => {
    const position = { decidedAt: TIME, sequence };
    expect(readCursor(writeCursor(position))).toEqual(position);
  });

  it("needs no escapes in a query string, and has at most the 64 characters that a query accepts", () => {
    expect(writeCursor({ decidedAt: TIME, sequence: 123_456_789 })).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it("is optional", () => {
    expect(readCursor(undefined)).toBeUndefined();
  });

  it.each([
    ...["", "x", "25", "__proto__", TIME, `${TIME}#000000000000001`],
    ...["", "25", TIME, `${TIME}#`, `${TIME}#1`, `${TIME}#1000000000000000`, `${TIME}#-00000000000001`].map(encoded),
    ...[`${TIME}#000000000000001 `, ` ${TIME}#000000000000001`, `${TIME}#000000000000001\n`].map(encoded),
    ...["2026-11-23T09:30:00Z#000000000000001", "~#000000000000001", "0#000000000000001"].map(encoded),
  ])("is refused if it is not a cursor of this API: %j", (cursor) => {
    expect(() => readCursor(cursor)).toThrow(expect.objectContaining({ code: "invalid_cursor" }));
  });
});
