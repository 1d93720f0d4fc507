import { stringify } from "csv-stringify/sync";
import type { Response } from "./response.ts";

/**
 * A page of a table as CSV (RFC 4180), safe to open in a spreadsheet.
 *
 * @param next the URL of the next page, relative to this one, if there is one
 */
export function csvResponse<Column extends string>(
  columns: readonly Column[],
  rows: readonly Readonly<Record<Column, string | number | null>>[],
  next: string | null,
): Response {
  const body = stringify([...rows], {
    header: true,
    columns: [...columns],
    record_delimiter: "windows",
    // A cell that starts as a formula does gets an apostrophe before it.
    escape_formulas: true,
    // Without quotes a lone line break would end the row in some spreadsheets.
    quoted_match: /[\r\n\u0085\u2028\u2029]/,
  });
  return {
    statusCode: 200,
    headers: {
      "content-type": "text/csv; charset=utf-8; header=present",
      "cache-control": "no-store",
      ...(next && { link: `<${next}>; rel="next"` }),
    },
    body,
  };
}
