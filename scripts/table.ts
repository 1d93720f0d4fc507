type Cell = string | number;

/**
 * A Markdown table, aligned for the terminal too. The titles are the keys of the first row; {@link formatNumber} prints numbers, and a
 * missing cell is empty.
 */
export function table(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const columns = Object.keys(rows[0] ?? {}).map((title) => {
    const cells = rows.map((row) => row[title] ?? Number.NaN);
    const texts = [title, ...cells.map(toText)];
    const width = Math.max(...texts.map(({ length }) => length));
    const isNumeric = cells.every((cell) => typeof cell === "number");
    const [heading = "", ...padded] = texts.map((text) => (isNumeric ? text.padStart(width) : text.padEnd(width)));
    return [heading, `${"-".repeat(width - 1)}${isNumeric ? ":" : "-"}`, ...padded];
  });
  const lines = columns[0]?.map((_, line) => `| ${columns.map((column) => column[line]).join(" | ")} |`) ?? [];
  return lines.join("\n");
}

function toText(cell: Cell): string {
  return typeof cell === "string" ? cell : formatNumber(cell);
}

/** A whole number in full, any other with three significant digits, NaN as nothing. */
export function formatNumber(number: number): string {
  if (Number.isInteger(number)) return String(number);
  return Number.isNaN(number) ? "" : number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0);
}
