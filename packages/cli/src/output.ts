import { styleText } from "node:util";
import { printable } from "../../../scripts/printable.ts";
import { table } from "../../../scripts/table.ts";

/** Data goes to stdout, messages go to stderr. */

export const EXIT_FAILURE = 1;
export const EXIT_REJECTED = 3;
export const EXIT_PENDING = 4;

/** Prints a value in one line of ASCII, so that a text of another user can't control the terminal. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value);
  console.log(text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`));
}

/** Prints rows as a table, or a message if there are none. */
export function printTable(rows: readonly Readonly<Record<string, string>>[], ifEmpty: string): void {
  if (rows.length === 0) {
    message(ifEmpty);
    return;
  }
  const escaped = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, printable(cell)])),
  );
  console.log(table(escaped));
}

/** Prints every item as soon as it is there, or all of them as a table. */
export async function printItems<Item>(
  items: AsyncIterable<Item>,
  json: boolean | undefined,
  rowOf: (item: Item) => Readonly<Record<string, string>>,
  ifEmpty: string,
): Promise<void> {
  const rows: Readonly<Record<string, string>>[] = [];
  for await (const item of items) {
    if (json) printJson(item);
    else rows.push(rowOf(item));
  }
  if (!json) printTable(rows, ifEmpty);
}

/** Prints a line for people. `NO_COLOR`, and a stderr that is no terminal, turn off the color. */
export function message(text: string, color?: "green" | "yellow" | "red"): void {
  const line = printable(text);
  console.error(color ? styleText(color, line, { stream: process.stderr }) : line);
}
