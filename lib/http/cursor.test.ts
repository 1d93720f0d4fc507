import { describe, expect, it } from "vitest";
import { readCursor, writeCursor } from "./cursor.ts";

const encoded = (text: string) => Buffer.from(text).toString("base64url");

describe("a cursor", () => {
  it.each([1, 2, 25, 1_000_000, 999_999_999_999_999])("decodes to the encoded sequence %i", (sequence) => {
    expect(readCursor(writeCursor(sequence))).toBe(sequence);
  });

  it("needs no escapes in a query string", () => {
    expect(writeCursor(123_456_789)).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  it("is optional", () => {
    expect(readCursor(undefined)).toBeUndefined();
  });

  it.each([
    "",
    "x",
    "25",
    "v1:25",
    encoded(""),
    encoded("25"),
    encoded("v2:25"),
    encoded("v1:"),
    encoded("v1:0"),
    encoded("v1:-1"),
    encoded("v1:01"),
    encoded("v1:1.5"),
    encoded("v1:1e3"),
    encoded("v1: 1"),
    encoded("v1:1 "),
    encoded("v1:1\n"),
    encoded("v1:1234567890123456"),
    encoded("V1:25"),
    encoded("v1:-0"),
    encoded("v1:0x10"),
    encoded("v1:Infinity"),
    encoded("v1:NaN"),
    encoded("v1:١"),
    encoded("v1:1,v1:2"),
    encoded("v1:1:bob"),
    encoded('{"sequence":1}'),
    "__proto__",
  ])("is refused if it is not a cursor of this API: %j", (cursor) => {
    expect(() => readCursor(cursor)).toThrow(expect.objectContaining({ code: "invalid_cursor" }));
  });
});
