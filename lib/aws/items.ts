import { en } from "zod/locales";
import * as z from "zod/mini";
import { COMMAND_TYPES } from "../domain/command.ts";
import { REJECTION_CODES } from "../domain/rejection.ts";
import { type RecordedDecision, TRANSACTION_STATUSES, type Transaction } from "../domain/transaction.ts";
import type { Wallet } from "../domain/wallet.ts";
import { UnreadableItem } from "../ledger/ports.ts";

// The problem of an unreadable item has zod's message, and zod/mini starts without any.
z.config(en());

/** The tables' items as the document client returns them: whole numbers are bigint. */
const count = z.pipe(z.bigint(), z.transform(Number));

/** Exact above 2^53 too. A number that is not whole stays text, so that the item's schema rejects it by its field. */
export function toInteger(number: string): bigint | string {
  return /^-?[0-9]+$/.test(number) ? BigInt(number) : number;
}

export const currencyItem = z.object({
  code: z.string(),
  name: z.string(),
  exponent: count,
  enabled: z.boolean(),
});

const walletItem = z.object({
  userId: z.string(),
  sequence: count,
  balances: z.record(z.string(), z.bigint()),
  updatedAt: z.string(),
});

const statusItem = z.object({ userId: z.string(), status: z.enum(TRANSACTION_STATUSES) });

const transactionItem = z.object({
  userId: z.string(),
  id: z.string(),
  type: z.enum(COMMAND_TYPES),
  currency: z.string(),
  exponent: count,
  amountMinor: z.bigint(),
  reference: z.optional(z.string()),
  metadata: z.optional(z.record(z.string(), z.string())),
  fingerprint: z.string(),
  createdAt: z.string(),
  status: z.enum(TRANSACTION_STATUSES),
  sequence: z.optional(count),
  balanceAfterMinor: z.optional(z.bigint()),
  postedAt: z.optional(z.string()),
  rejectionCode: z.optional(z.enum(REJECTION_CODES)),
});

/** An item before it is checked. */
type Item = Readonly<Record<string, unknown>>;

/** @throws UnreadableItem */
export function toWallet(item: Item): { userId: string; wallet: Wallet } {
  const { userId, sequence, balances } = parseItem(walletItem, item);
  return { userId, wallet: { sequence, balances: new Map(Object.entries(balances)) } };
}

export function toPendingItem(
  transaction: Transaction,
): Omit<z.input<typeof transactionItem>, "metadata"> & { metadata: ReadonlyMap<string, string> | undefined } {
  const { userId, id, type, currency, exponent, amountMinor, reference, metadata, fingerprint, createdAt } =
    transaction;
  return {
    userId,
    id,
    type,
    currency,
    exponent: BigInt(exponent),
    amountMinor,
    reference,
    // A map, because the SDK takes an object with a key `constructor` for a class instance and rejects it.
    metadata: metadata && new Map(Object.entries(metadata)),
    fingerprint,
    createdAt,
    status: "pending",
  };
}

/** @throws UnreadableItem */
export function toStatus(item: Item): z.output<typeof statusItem> {
  return parseItem(statusItem, item);
}

/** @throws UnreadableItem */
export function toTransaction(item: Item): Transaction {
  const parsed = parseItem(transactionItem, item);
  const { userId, id, type, currency, exponent, amountMinor, reference, metadata, fingerprint, createdAt } = parsed;
  const decision = toRecordedDecision(parsed);
  return {
    userId,
    id,
    type,
    currency,
    exponent,
    amountMinor,
    reference,
    metadata,
    fingerprint,
    createdAt,
    decision,
  };
}

function toRecordedDecision(item: z.output<typeof transactionItem>): RecordedDecision | undefined {
  const { status, sequence, balanceAfterMinor, postedAt, rejectionCode } = item;
  if (status === "pending") return undefined;
  if (sequence === undefined || balanceAfterMinor === undefined) throw incomplete(item);
  if (status === "posted" && postedAt !== undefined) {
    return { sequence, balanceAfterMinor, outcome: { status, postedAt } };
  }
  if (status === "rejected" && rejectionCode !== undefined) {
    return { sequence, balanceAfterMinor, outcome: { status, code: rejectionCode } };
  }
  throw incomplete(item);
}

function incomplete(item: z.output<typeof transactionItem>): UnreadableItem {
  return unreadable(item, `it is ${item.status} and lacks what the decision wrote`);
}

function parseItem<T>(schema: z.ZodMiniType<T>, item: Item): T {
  const parsed = schema.safeParse(item);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(item, `${issue?.path.join(".")}: ${issue?.message}`);
}

function unreadable({ userId, id }: Item, problem: string): UnreadableItem {
  return new UnreadableItem(String(userId), id === undefined ? "wallet" : `transaction ${id}`, problem);
}
