import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { en } from "zod/locales";
import * as z from "zod/mini";
import { COMMAND_TYPES, type Command, refersToOf } from "../domain/command.ts";
import { initialRemainder, postingsOf } from "../domain/decide.ts";
import { NO_DETAILS_HASH } from "../domain/hash.ts";
import { movementOf } from "../domain/movements/index.ts";
import { REJECTION_CODES } from "../domain/rejection.ts";
import { WALLET_STATUSES, type Wallet } from "../domain/state.ts";
import {
  type Change,
  commandOf,
  type Decision,
  HOLD_STATUSES,
  type Outcome,
  type Remainder,
  TRANSACTION_STATUSES,
  type Transaction,
} from "../domain/transaction.ts";
import { commandSchema } from "../ledger/commandSchema.ts";
import { UnreadableItem } from "../ledger/ports.ts";
import { parsePosition, positionText } from "../ledger/position.ts";

// The problem of an unreadable item has zod's message, and zod/mini starts without any.
z.config(en());

/** Whole numbers of an item are bigint. */
const count = z.pipe(z.bigint(), z.transform(Number));

/** Exact above 2^53 too. A number that is not whole stays text, so that the item's schema rejects it by its field. */
export function toInteger(number: string): bigint | string {
  return /^-?[0-9]+$/.test(number) ? BigInt(number) : number;
}

/** An item in the form in which it is read here. */
export function toNative(item: Readonly<Record<string, AttributeValue>>) {
  return unmarshall(item, { wrapNumbers: toInteger });
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

/** Absent if the wallet is active. */
const walletStatus = z._default(z.enum(WALLET_STATUSES), "active");

const walletItem = z.object({
  userId: z.string(),
  status: walletStatus,
  sequence: count,
  available: balances,
  held: heldBalances,
  decidedAt: z.string(),
  hash: z.string(),
});

const statusItem = z.object({
  userId: z.string(),
  status: z.enum(TRANSACTION_STATUSES),
  type: z.enum(COMMAND_TYPES),
});

const change = z.object({ currency: z.string(), exponent: count, amountMinor: z.bigint(), heldMinor: z.bigint() });

const transactionItem = commandSchema(
  { object: z.object, text: () => z.string(), time: z.string(), minor: z.bigint(), digits: count },
  {
    salt: z.optional(z.string()),
    reference: z.optional(z.string()),
    metadata: z.optional(z.record(z.string(), z.string())),
    /** Absent for a transaction without reference and metadata. */
    detailsHash: z._default(z.string(), NO_DETAILS_HASH),
    contentHash: z.string(),
    status: z.enum(TRANSACTION_STATUSES),
    /** Has the sequence number and the time of the decision. */
    position: z.optional(z.string()),
    rejectionCode: z.optional(z.enum(REJECTION_CODES)),
    /** Only where they depend on what the command refers to. */
    changes: z.optional(z.array(change)),
    walletStatus,
    available: z.optional(balances),
    held: heldBalances,
    previousHash: z.optional(z.string()),
    hash: z.optional(z.string()),
    /** Absent while no later transaction has changed it. */
    remainingMinor: z.optional(z.bigint()),
    holdStatus: z.optional(z.enum(HOLD_STATUSES)),
  },
);
type TransactionItem = z.output<typeof transactionItem>;

/** An item before it is checked. */
type Item = Readonly<Record<string, unknown>>;

/** @throws UnreadableItem */
export function toWallet(item: Item): { userId: string; wallet: Wallet } {
  const { userId, ...wallet } = parseItem(walletItem, item);
  return { userId, wallet };
}

/** An item for the DynamoDB client. */
export function toPendingItem(transaction: Transaction): Record<string, AttributeValue> {
  const { salt, reference, metadata, contentHash } = transaction;
  const { detailsHash, ...command } = commandOf(transaction);
  return {
    ...attributesOf({ ...command, salt, reference, metadata, contentHash, status: "pending" }),
    ...(detailsHash !== NO_DETAILS_HASH && { detailsHash: text(detailsHash) }),
  };
}

/** Shards of the index `due`, so that its writes and reads are spread. */
export const DUE_SHARDS = 16;

/** The attributes that list a transaction in the index `due`. */
export function dueAttributes(id: string, dueAt: string): Record<string, AttributeValue> {
  return { dueShard: number(id.charCodeAt(ID_PREFIX.length) % DUE_SHARDS), dueAt: text(dueAt) };
}
const ID_PREFIX = "tx_";

/** The attributes of a wallet's item beside its key. */
export function toWalletAttributes({ status, sequence, available, held, decidedAt = "", hash = "" }: Wallet) {
  return {
    status: text(status),
    sequence: number(sequence),
    available: balancesAttribute(available),
    held: balancesAttribute(held),
    decidedAt: text(decidedAt),
    hash: text(hash),
  };
}

/**
 * The attributes that a decision adds to a transaction's item. They leave out what follows from the rest: the sequence number
 * and the time are in the position, and the postings follow from the command, the changes if they are stored, and the
 * balances after it.
 */
export function toDecisionAttributes(command: Command, decision: Decision): Record<string, AttributeValue> {
  const { outcome, postings, walletStatus, available, held, previousHash, hash } = decision;
  return {
    status: text(outcome.status),
    position: text(positionText(decision)),
    ...(outcome.status === "rejected" && { rejectionCode: text(outcome.code) }),
    ...(hasStoredChanges(command, outcome) && { changes: { L: postings.map(changeAttribute) } }),
    ...(walletStatus !== "active" && { walletStatus: text(walletStatus) }),
    available: balancesAttribute(available),
    ...(held.size > 0 && { held: balancesAttribute(held) }),
    ...(previousHash !== undefined && { previousHash: text(previousHash) }),
    hash: text(hash),
  };
}

function hasStoredChanges(command: Command, { status }: Outcome): boolean {
  return status === "posted" && refersToOf(command) !== undefined && command.type !== "credit";
}

function changeAttribute({ currency, exponent, amountMinor, heldMinor }: Change): AttributeValue {
  return toAttribute({ currency, exponent, amountMinor, heldMinor });
}

/** The attributes that a later transaction writes to one that it refers to. */
export function toRemainderAttributes({ remainingMinor, holdStatus }: Remainder): Record<string, AttributeValue> {
  return attributesOf({ remainingMinor, holdStatus: holdStatus === "open" ? undefined : holdStatus });
}

/** Those members that have a value, as attributes. */
function attributesOf(members: object): Record<string, AttributeValue> {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return mapValues(present, toAttribute);
}

function toAttribute(value: unknown): AttributeValue {
  if (typeof value === "bigint" || typeof value === "number") return number(value);
  if (typeof value === "boolean") return { BOOL: value };
  return typeof value === "object" && value !== null ? { M: attributesOf(value) } : text(String(value));
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
  const { status, position, rejectionCode, changes, walletStatus, available, held, previousHash, hash, ...rest } =
    parsed;
  const { salt, reference, metadata, contentHash, remainingMinor, holdStatus, ...command } = rest;
  const decision = toDecision(parsed, command);
  const initial = decision && initialRemainder(command, decision);
  const remainder = initial && {
    remainingMinor: remainingMinor ?? initial.remainingMinor,
    holdStatus: holdStatus ?? initial.holdStatus,
  };
  return { ...command, salt, reference, metadata, contentHash, decision, remainder };
}

function toDecision(item: TransactionItem, command: Command): Decision | undefined {
  const { status, walletStatus, available, held, previousHash, hash } = item;
  if (status === "pending") return undefined;
  const outcome = toOutcome(item);
  const position = parsePosition(item.position ?? "");
  if (!position || hash === undefined || !outcome || !available) {
    throw unreadable(item, `it is ${status} and lacks what the decision wrote`);
  }
  const changes = hasStoredChanges(command, outcome) ? item.changes : movementOf(command).changes(command, undefined);
  if (!changes) throw unreadable(item, "it lacks its changes");
  const postings = outcome.status === "posted" ? postingsOf(changes, { available, held }) : [];
  return { ...position, outcome, postings, walletStatus, available, held, previousHash, hash };
}

function toOutcome({ status, rejectionCode }: TransactionItem): Outcome | undefined {
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
