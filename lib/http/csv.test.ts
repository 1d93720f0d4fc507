import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvResponse } from "./csv.ts";

const COLUMNS = ["id", "reference", "credit"] as const;
const bodyOf = (reference: string | null) =>
  csvResponse(COLUMNS, [{ id: "tx_1", reference, credit: "1.00" }], null).body ?? "";

/** The records of a text by the grammar of RFC 4180, section 2. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  let record: string[] = [];
  while (field.lastIndex < text.length) {
    const { lastIndex } = field;
    const [, quoted, plain = "", end] = field.exec(text) ?? [];
    if (end === undefined) throw new Error(`Not a field: ${text.slice(lastIndex)}`);
    record.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ",") continue;
    records.push(record);
    record = [];
  }
  return records;
}

describe("csvResponse", () => {
  it("has a header and rows that end with CRLF, and empty cells for null", () => {
    const rows = [
      { id: "tx_1", reference: null, credit: 1 },
      { id: "tx_2", reference: "invoice 1", credit: null },
    ];
    expect(csvResponse(COLUMNS, rows, null)).toEqual({
      statusCode: 200,
      headers: { "content-type": "text/csv; charset=utf-8; header=present", "cache-control": "no-store" },
      body: "id,reference,credit\r\ntx_1,,1\r\ntx_2,invoice 1,\r\n",
    });
  });

  it("has the header without rows too", () => {
    expect(csvResponse(COLUMNS, [], null).body).toBe("id,reference,credit\r\n");
  });

  it("links to the next page", () => {
    expect(csvResponse(COLUMNS, [], "?cursor=abc").headers).toMatchObject({ link: '<?cursor=abc>; rel="next"' });
  });

  it.each([
    ["a comma", "a,b", '"a,b"'],
    ["a quote", 'a"b', '"a""b"'],
    ["CRLF", "a\r\nb", '"a\r\nb"'],
    ["a line feed", "a\nb", '"a\nb"'],
    ["a carriage return", "a\rb", '"a\rb"'],
    ["a line separator", "a\u2028b", '"a\u2028b"'],
    ["a next line", "a\u0085b", '"a\u0085b"'],
    ["a formula", "=1+1", "'=1+1"],
    ["a formula with quotes", '=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ["a plus", "+1", "'+1"],
    ["a minus", "-1", "'-1"],
    ["an at sign", "@SUM(A1)", "'@SUM(A1)"],
    ["a tab", "\t=1", "'\t=1"],
    ["a carriage return first", "\r=1", `"'\r=1"`],
    ["a row of its own", 'x"\r\ntx_2,forged,9.00\r\n', '"x""\r\ntx_2,forged,9.00\r\n"'],
    ["an equals sign that is not first", "a=1", "a=1"],
  ])("escapes %s", (_what, reference, cell) => {
    expect(bodyOf(reference)).toBe(`id,reference,credit\r\ntx_1,${cell},1.00\r\n`);
  });

  it("has no more rows and cells than it was given, and none that starts as a formula, for any text", () => {
    const texts = fc.string({ unit: fc.constantFrom(..."=+-@\t\r\n\",;'a", "\u0085", "\u2028"), maxLength: 12 });
    fc.assert(
      fc.property(texts, (reference) => {
        const [, ...rows] = parseCsv(bodyOf(reference));
        const cell = /^[=+\-@\t\r]/.test(reference) ? `'${reference}` : reference;
        expect(rows).toEqual([["tx_1", cell, "1.00"]]);
      }),
      { numRuns: 1000 },
    );
  });
});
