import { execFile } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip, type Gzip } from "node:zlib";
import { marshall } from "@aws-sdk/util-dynamodb";
import { toPendingItem } from "../lib/aws/items.ts";
import type { Command } from "../lib/domain/command.ts";
import type { Transaction } from "../lib/domain/transaction.ts";
import { decide, emptyWallet, evolve } from "../lib/domain/wallet.ts";
import { fingerprintOf, transactionId } from "../lib/ledger/idempotency.ts";
import { template } from "../testkit/template.ts";

/** A file system in memory, so that no disk is measured. */
export const MEMORY_FOLDER = "/dev/shm";
export const HOT_USER = "bench-hot";

const CURRENCIES = ["USD", "EUR", "GBP"];
const FIRST_CREATED_MS = Date.parse("2026-01-01T00:00:00Z");
const TABLES = ["CurrenciesTable", "WalletsTable", "TransactionsTable"] as const;

/** Takes items of the local stage's tables, one by one. */
export type Put = (table: (typeof TABLES)[number], item: Record<string, unknown>) => Promise<void>;

/**
 * Makes `dynoxide.db`, as a stack with this folder for its DATA_DIR finds it. The engine reads an export of DynamoDB's
 * several times faster than it takes the same items in writes.
 */
export async function makeDatabase(folder: string, fill: (put: Put) => Promise<void>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const source = mkdtempSync(join(folder, "export-"));
  const resources = template("local");
  const files = new Map<string, Gzip>();
  const schema = TABLES.map((table) => {
    const { TableName, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } = resources[table]?.Properties ?? {};
    const data = join(source, String(TableName), "data");
    mkdirSync(data, { recursive: true });
    const file = createGzip({ level: 1 });
    file.pipe(createWriteStream(join(data, "1.json.gz")));
    files.set(table, file);
    return { Table: { TableName, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } };
  });
  await fill(async (table, item) => {
    const file = files.get(table);
    const line = JSON.stringify({ Item: marshall(item, { removeUndefinedValues: true }) });
    if (file?.write(`${line}\n`) === false) await once(file, "drain");
  });
  for (const file of files.values()) await finished(file.end());
  writeFileSync(join(source, "schema.json"), JSON.stringify(schema));

  const dynoxide = dirname(createRequire(import.meta.url).resolve("@dynoxide/linux-x64/package.json"));
  await promisify(execFile)(join(dynoxide, "dynoxide"), [
    "import",
    ...[
      "--source",
      source,
      "--schema",
      join(source, "schema.json"),
      "--output",
      join(folder, "dynoxide.db"),
      "--force",
    ],
  ]);
  rmSync(source, { recursive: true });
}

/** A user's wallet and its history, as the ledger would have written them: posted and rejected, a second apart. */
export async function putHistory(userId: string, transactions: number, put: Put): Promise<void> {
  if (transactions === 0) return;
  let wallet = emptyWallet;
  let updatedAt = "";
  for (let index = 0; index < transactions; index++) {
    // Every other command of a currency takes more than the one before has put in.
    const type = Math.floor(index / CURRENCIES.length) % 2 === 0 ? "deposit" : "withdrawal";
    const transaction = accepted(userId, index, type, type === "deposit" ? 1000n : 1500n);
    const decision = decide(wallet, transaction);
    const { sequence, balanceAfterMinor, outcome } = decision;
    wallet = evolve(wallet, decision);
    updatedAt = transaction.createdAt;
    await put("TransactionsTable", {
      ...toPendingItem(transaction),
      status: outcome.status,
      sequence,
      balanceAfterMinor,
      ...(outcome.status === "posted" ? { postedAt: updatedAt } : { rejectionCode: outcome.code }),
    });
  }
  const { sequence, balances } = wallet;
  await put("WalletsTable", { userId, sequence, balances: Object.fromEntries(balances), updatedAt });
}

/** A user's command of that index, as `submit` stores it. */
export function accepted(userId: string, index: number, type: Command["type"], amountMinor: bigint): Transaction {
  const currency = CURRENCIES[index % CURRENCIES.length] ?? "";
  const content = { type, currency, amountMinor, reference: undefined, metadata: undefined };
  return {
    ...content,
    id: transactionId(userId, String(index)),
    userId,
    exponent: 2,
    fingerprint: fingerprintOf(content),
    createdAt: new Date(FIRST_CREATED_MS + index * 1000).toISOString(),
    decision: undefined,
  };
}
