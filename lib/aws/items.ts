import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { en } from "zod/locales";
import * as z from "zod/mini";
import { ACTORS, COMMAND_TYPES, type Command } from "../domain/command.ts";
import { postingsOf } from "../domain/decide.ts";
import { NO_DETAILS_HASH } from "../domain/hash.ts";
import { REJECTION_CODES } from "../domain/rejection.ts";
import type { Wallet } from "../domain/state.ts";
import { type Decision, type Outcome, TRANSACTION_STATUSES, type Transaction } from "../domain/transaction.ts";
import { UnreadableItem } from "../ledger/ports.ts";
import { parsePosition, positionText } from "../ledger/position.ts";

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

/** Minor units by currency code. */
const balances = z.pipe(
  z.record(z.string(), z.bigint()),
  z.transform((minor): ReadonlyMap<string, bigint> => new Map(Object.entries(minor))),
);

/** Absent if nothing is held. */
const heldBalances = z.pipe(
  z.optional(balances),
  z.transform((held) => held ?? NOTHING),
);
const NOTHING: ReadonlyMap<string, bigint> = new Map();

const walletItem = z.object({
  userId: z.string(),
  sequence: count,
  available: balances,
  held: heldBalances,
  decidedAt: z.string(),
  hash: z.string(),
});

const statusItem = z.object({ userId: z.string(), status: z.enum(TRANSACTION_STATUSES) });

const transactionItem = z.object({
  userId: z.string(),
  id: z.string(),
  type: z.enum(COMMAND_TYPES),
  actor: z.enum(ACTORS),
  createdAt: z.string(),
  currency: z.string(),
  exponent: count,
  amountMinor: z.bigint(),
  salt: z.optional(z.string()),
  reference: z.optional(z.string()),
  metadata: z.optional(z.record(z.string(), z.string())),
  /** Absent for a transaction without reference and metadata. */
  detailsHash: z.optional(z.string()),
  contentHash: z.string(),
  status: z.enum(TRANSACTION_STATUSES),
  /** Has the sequence number and the time of the decision. */
  position: z.optional(z.string()),
  rejectionCode: z.optional(z.enum(REJECTION_CODES)),
  available: z.optional(balances),
  held: heldBalances,
  previousHash: z.optional(z.string()),
  hash: z.optional(z.string()),
});

/** An item before it is checked. */
type Item = Readonly<Record<string, unknown>>;

/** @throws UnreadableItem */
export function toWallet(item: Item): { userId: string; wallet: Wallet } {
  const { userId, ...wallet } = parseItem(walletItem, item);
  return { userId, wallet };
}

/** An item for the DynamoDB client. */
export function toPendingItem(transaction: Transaction): Record<string, AttributeValue> {
  const { userId, id, type, actor, createdAt, currency, exponent, amountMinor } = transaction;
  const { salt, reference, metadata, detailsHash, contentHash } = transaction;
  return {
    userId: text(userId),
    id: text(id),
    type: text(type),
    actor: text(actor),
    createdAt: text(createdAt),
    currency: text(currency),
    exponent: number(exponent),
    amountMinor: number(amountMinor),
    ...(salt !== undefined && { salt: text(salt) }),
    ...(reference !== undefined && { reference: text(reference) }),
    ...(metadata && { metadata: { M: mapValues(Object.entries(metadata), text) } }),
    ...(detailsHash !== NO_DETAILS_HASH && { detailsHash: text(detailsHash) }),
    contentHash: text(contentHash),
    status: text("pending"),
  };
}

/** The attributes of a wallet's item beside its key. */
export function toWalletAttributes({ sequence, available, held, decidedAt = "", hash = "" }: Wallet) {
  return {
    sequence: number(sequence),
    available: balancesAttribute(available),
    held: balancesAttribute(held),
    decidedAt: text(decidedAt),
    hash: text(hash),
  };
}

/**
 * The attributes that a decision adds to a transaction's item. They leave out what follows from the rest: the sequence number
 * and the time are in the position, and the postings follow from the command and the balances after it.
 */
export function toDecisionAttributes(decision: Decision): Record<string, AttributeValue> {
  const { outcome, available, held, previousHash, hash } = decision;
  return {
    status: text(outcome.status),
    position: text(positionText(decision)),
    ...(outcome.status === "rejected" && { rejectionCode: text(outcome.code) }),
    available: balancesAttribute(available),
    ...(held.size > 0 && { held: balancesAttribute(held) }),
    ...(previousHash !== undefined && { previousHash: text(previousHash) }),
    hash: text(hash),
  };
}

export function text(value: string): AttributeValue {
  return { S: value };
}

export function number(value: bigint | number): AttributeValue {
  return { N: value.toString() };
}

/** Minor units by currency code, as a map attribute. */
function balancesAttribute(minor: ReadonlyMap<string, bigint>): AttributeValue {
  return { M: mapValues(minor, number) };
}

function mapValues<T>(
  entries: Iterable<readonly [string, T]>,
  toAttribute: (value: T) => AttributeValue,
): Record<string, AttributeValue> {
  return Object.fromEntries([...entries].map(([name, value]) => [name, toAttribute(value)]));
}

/** @throws UnreadableItem */
export function toStatus(item: Item): z.output<typeof statusItem> {
  return parseItem(statusItem, item);
}

/** @throws UnreadableItem */
export function toTransaction(item: Item): Transaction {
  const parsed = parseItem(transactionItem, item);
  const { userId, id, type, actor, createdAt, currency, exponent, amountMinor } = parsed;
  const { salt, reference, metadata, detailsHash = NO_DETAILS_HASH, contentHash } = parsed;
  const command = { userId, id, type, actor, createdAt, currency, exponent, amountMinor, detailsHash };
  return { ...command, salt, reference, metadata, contentHash, decision: toDecision(parsed, command) };
}

function toDecision(item: z.output<typeof transactionItem>, command: Command): Decision | undefined {
  const { status, available, held, previousHash, hash } = item;
  if (status === "pending") return undefined;
  const outcome = toOutcome(item);
  const position = parsePosition(item.position ?? "");
  if (!position || hash === undefined || !outcome || !available) {
    throw unreadable(item, `it is ${status} and lacks what the decision wrote`);
  }
  const postings = outcome.status === "posted" ? postingsOf(command, { available, held }) : [];
  return { ...position, outcome, postings, available, held, previousHash, hash };
}

function toOutcome({ status, rejectionCode }: z.output<typeof transactionItem>): Outcome | undefined {
  if (status === "posted" && rejectionCode === undefined) return { status };
  if (status === "rejected" && rejectionCode !== undefined) return { status, code: rejectionCode };
  return undefined;
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
