import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { text, toDecisionAttributes, toPendingItem, toWalletAttributes } from "../lib/aws/items.ts";
import type { Command } from "../lib/domain/command.ts";
import { decide, evolve } from "../lib/domain/decide.ts";
import { detailsHashOf } from "../lib/domain/hash.ts";
import { emptyWallet, type State } from "../lib/domain/state.ts";
import { pendingTransaction, type Transaction } from "../lib/domain/transaction.ts";
import { transactionId } from "../lib/ledger/idempotency.ts";
import { dynoxideFile } from "../localstack/engines.ts";
import { template } from "../testkit/template.ts";

/** A file system in memory, so that no disk is measured. */
export const MEMORY_FOLDER = "/dev/shm";
export const HOT_USER = "bench-hot";

const CURRENCIES = ["USD", "EUR", "GBP"];
const LINES_A_FILE = 10_000;
const FIRST_CREATED_MS = Date.parse("2026-01-01T00:00:00Z");

/** An item of a table of the local stage. */
export type Item = readonly [
  table: "currencies" | "wallets" | "transactions",
  item: Readonly<Record<string, AttributeValue>>,
];

/**
 * Makes the `dynoxide.db` of a stack whose DATA_DIR is this folder. The engine imports a DynamoDB export several times faster than
 * it writes the same items.
 */
export async function fillTables(folder: string, items: Iterable<Item>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const source = mkdtempSync(join(folder, "export-"));
  const lines = { currencies: [] as string[], wallets: [] as string[], transactions: [] as string[] };
  const flush = (table: Item[0]) => {
    const data = join(source, `antler-local-${table}`, "data");
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, `${randomUUID()}.json.gz`), gzipSync(lines[table].splice(0).join("\n"), { level: 1 }));
  };
  for (const [table, item] of items) {
    lines[table].push(JSON.stringify({ Item: item }));
    if (lines[table].length === LINES_A_FILE) flush(table);
  }
  for (const table of ["currencies", "wallets", "transactions"] as const) flush(table);

  const schema = join(source, "schema.json");
  const tables = Object.values(template("local")).filter(({ Type }) => Type === "AWS::DynamoDB::Table");
  writeFileSync(
    schema,
    JSON.stringify(tables.map(({ Properties }) => ({ Table: { ...Properties, DeletionProtectionEnabled: false } }))),
  );
  const dynoxide = createRequire(import.meta.url).resolve(dynoxideFile(platform, arch));
  const options = ["--source", source, "--schema", schema, "--output", join(folder, "dynoxide.db"), "--force"];
  await promisify(execFile)(dynoxide, ["import", ...options]);
  rmSync(source, { recursive: true });
}

/** A wallet and its history as the ledger would have written them: posted deposits, a second apart. */
export function* history(userId: string, count: number): Generator<Item> {
  let state: State = { wallet: emptyWallet, referred: new Map() };
  for (let index = 0; index < count; index++) {
    const deposit = acceptedDeposit(userId, index);
    const decision = decide(state, deposit, deposit.createdAt);
    state = evolve(state, deposit, decision);
    yield ["transactions", { ...toPendingItem(deposit), ...toDecisionAttributes(deposit, decision) }];
  }
  if (count > 0) yield ["wallets", { userId: text(userId), ...toWalletAttributes(state.wallet) }];
}

/** When the deposit with this index was accepted, and decided. */
export function acceptedAt(index: number): string {
  return new Date(FIRST_CREATED_MS + index * 1000).toISOString();
}

/** A user's deposit with this index, as `submit` stores it. */
export function acceptedDeposit(userId: string, index: number): Transaction {
  const details = { salt: "0".repeat(22), reference: undefined, metadata: undefined };
  const command: Command = {
    type: "deposit",
    id: transactionId(userId, String(index)),
    userId,
    actor: "owner",
    createdAt: acceptedAt(index),
    currency: CURRENCIES[index % CURRENCIES.length] ?? "",
    exponent: 2,
    amountMinor: 100n,
    detailsHash: detailsHashOf(details),
  };
  return pendingTransaction(command, details);
}
