import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MOVEMENTS } from "../../lib/http/commands/index.ts";

/** The permissions that the API uses, as a table. */
function permissionsTable(): string {
  const rows = MOVEMENTS.map(({ summary, path, permissions: { owner, counterparty, admin } }) => [
    summary,
    `\`POST ${path}\``,
    ...[owner, counterparty, admin].map(({ text }) => text),
  ]);
  const head = ["movement", "route", "the wallet's user", "the other user of a hold", "`wallets:admin`"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

it("SECURITY.md has the table of who may do what", () => {
  const text = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");
  const [, section = ""] = /\n## Who may do what\n(.*?)\n## /s.exec(text) ?? [];
  const table = section.split("\n").filter((line) => line.startsWith("|"));
  expect(`${table.join("\n")}\n`).toBe(permissionsTable());
});
