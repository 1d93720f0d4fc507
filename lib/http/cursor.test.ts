import { describe, expect, it } from "vitest";
import { readCursor, writeCursor } from "./cursor.ts";

const encoded = (text: string) => Buffer.from(text).toString("base64url");
const encodedSequence = (sequence: string) => encoded(`v1:${sequence}`);

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
    ...["", "x", "25", "v1:25", "__proto__"],
    ...["", "25", "v2:25", "V1:25", '{"sequence":1}'].map(encoded),
    ...["", "0", "-0", "-1", "01", "1.5", "1e3", "0x10", " 1", "1 ", "1\n", "1234567890123456"].map(encodedSequence),
    ...["Infinity", "NaN", "١", "1,v1:2", "1:bob"].map(encodedSequence),
  ])("is refused if it is not a cursor of this API: %j", (cursor) => {
    expect(() => readCursor(cursor)).toThrow(expect.objectContaining({ code: "invalid_cursor" }));
  });
});
