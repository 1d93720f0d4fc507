import * as z from "zod/mini";
import { ACTORS, COMMAND_TYPES } from "../domain/command.ts";
import { SOURCE_TYPES } from "../domain/movements/credit.ts";
import { REJECTION_CODES } from "../domain/rejection.ts";
import { WALLET_STATUSES } from "../domain/state.ts";
import { DECIDED_STATUSES, HOLD_STATUSES, TRANSACTION_STATUSES } from "../domain/transaction.ts";
import { HISTORY_LIMIT_MAX } from "../ledger/ports.ts";
import { REQUEST_TYPES } from "../ledger/submit.ts";
import { TRANSFER_STATUSES } from "../ledger/transferStatus.ts";

/**
 * The schemas of the HTTP API. They validate requests, type responses and generate the OpenAPI document.
 */

/** Parts of the OpenAPI document that do not follow from a schema. */
export const openApi = z.globalRegistry;

export const atMost = (characters: number) => z.maxLength(characters, `must be at most ${characters} characters`);

// URL clients resolve the path segments . and .. themselves.
export const userId = z
  .string("must be 1 to 128 of the characters A–Z a–z 0–9 . _ : @ | -, but neither . nor ..")
  .check(z.regex(/^(?!\.{1,2}$)[A-Za-z0-9._:@|-]{1,128}$/))
  .register(openApi, {
    id: "UserId",
    example: "alice",
    param: { id: "userId", description: "The user id, equal to the `sub` of the token" },
  });

const currencyCode = z
  .string('must be the code of a currency, such as "USD"')
  .check(z.minLength(1), z.maxLength(16))
  .register(openApi, { id: "CurrencyCode", description: "Currency code from `GET /v1/currencies`", example: "USD" });

const decimal = z.string('must be a decimal string, such as "12.34"').check(atMost(80)).register(openApi, {
  id: "Amount",
  description: "Decimal string with at most as many decimals as the currency",
  example: "12.34",
});

/** JSON escapes can contain a lone surrogate, which UTF-8 and DynamoDB can't store. */
export const text = z
  .string("must be a string")
  .check(z.refine((value) => value.isWellFormed(), "must be well-formed Unicode"));

const METADATA_KEYS_MAX = 50;
const metadata = z
  .record(z.string().check(z.regex(/^[A-Za-z0-9_.:-]{1,40}$/)), text.check(atMost(500)), {
    error: ({ code }) =>
      code === "invalid_key"
        ? "must have a name of 1 to 40 of the characters A–Z a–z 0–9 _ . : -"
        : "must be an object with string values",
  })
  .check(
    z.refine((pairs) => Object.keys(pairs).length <= METADATA_KEYS_MAX, `must have at most ${METADATA_KEYS_MAX} keys`),
  )
  .register(openApi, {
    id: "Metadata",
    description: `Up to ${METADATA_KEYS_MAX} of your own key-value pairs: keys of 1 to 40 characters, values of at most 500`,
    example: { orderId: "A-1001" },
  });

const reference = text.check(z.minLength(1, "must not be empty"), atMost(140)).register(openApi, {
  id: "Reference",
  description: "Your own reference, such as an invoice number",
  example: "invoice 4711",
});

const time = z.pipe(
  z.iso.datetime({ offset: true, error: "must be a time such as 2026-11-23T09:30:00Z", abort: true }).check(
    z.regex(/:\d\d(\.\d{1,3})?(Z|[+-])/, "must have at most milliseconds"),
    // A year of more digits has a sign, with which times do not sort as texts.
    z.refine((text) => /^\d{4}-/.test(new Date(text).toISOString()), "must be in the years 0000 to 9999, UTC"),
  ),
  z.transform((text) => new Date(text).toISOString()),
);

const details = { reference: z.optional(reference), metadata: z.optional(metadata) };
const money = { currency: currencyCode, amount: decimal };

function body<Shape extends z.core.$ZodShape>(id: string, shape: Shape) {
  return z.strictObject({ ...shape, ...details }, "must be a JSON object").register(openApi, { id });
}

export const detailsBody = body("Details", {});
export const movementBody = body("Movement", money);
export const transferBody = body("TransferRequest", { to: userId, ...money });
export const holdBody = body("HoldRequest", { to: z.optional(userId), ...money, expiresAt: z.optional(time) });
export const captureBody = body("CaptureRequest", {
  amount: z.optional(decimal),
  final: z._default(z.boolean("must be true or false"), true).register(openApi, {
    description: "Whether the rest of the hold becomes available again",
  }),
});
export const exchangeBody = body("ExchangeRequest", {
  sell: z.strictObject(money, "must be an object"),
  buy: z.strictObject(money, "must be an object"),
});
export const reversalBody = body("ReversalRequest", { amount: z.optional(decimal) });
export const statusChangeBody = body("StatusChangeRequest", {
  status: z.enum(WALLET_STATUSES, `must be ${WALLET_STATUSES.join(", ")}`),
});

export const transactionId = z
  .string()
  .check(z.regex(/^tx_[A-Za-z0-9_-]{43}$/))
  .register(openApi, {
    id: "TransactionId",
    description: "Derived from the user id and the Idempotency-Key",
    example: `tx_${"x".repeat(43)}`,
    param: { description: "The `id` of the transaction" },
  });

/** Excludes what a header can't have: API Gateway joins repeated ones with a comma, and HTTP strips the spaces around a value. */
export const IDEMPOTENCY_KEY = /^[\x21-\x2b\x2d-\x7e]([\x20-\x2b\x2d-\x7e]{0,253}[\x21-\x2b\x2d-\x7e])?$/;

/** Commands per batch. */
export const BATCH_MAX = 100;
export const batchBody = z.strictObject(
  {
    commands: z
      .array(z.looseObject({}, "must be an object"), `must be an array of 1 to ${BATCH_MAX} commands`)
      .check(z.minLength(1), z.maxLength(BATCH_MAX)),
  },
  "must be a JSON object",
);

/** What a command of a batch has besides the body of a single request, which has these in its path and its headers. */
export const batchMembers = {
  type: z.enum(REQUEST_TYPES, `must be one of ${REQUEST_TYPES.join(", ")}`),
  userId,
  idempotencyKey: z
    .string("must be 1 to 255 printable ASCII characters without a comma or outer spaces")
    .check(z.regex(IDEMPOTENCY_KEY))
    .register(openApi, {
      example: "order-1001",
      description: "Your own key, as the `Idempotency-Key` of a single request",
    }),
  refersTo: z.optional(transactionId),
};
export const batchCommand = z.looseObject(batchMembers);

export const timestamp = z.iso.datetime().register(openApi, { id: "Timestamp", example: "2026-11-23T09:30:00.000Z" });

const hash = z
  .string()
  .check(z.regex(/^[A-Za-z0-9_-]{43}$/))
  .register(openApi, {
    id: "Hash",
    description: "SHA-256 in base64url, by the rule in docs/reference/hash-chain.md",
    example: "x".repeat(43),
  });

const posting = z
  .strictObject({
    currency: currencyCode,
    amount: decimal.clone().register(openApi, {
      description: "Change of the balance; negative for a debit",
      example: "-12.34",
    }),
    held: decimal.clone().register(openApi, { description: "Change of the held part of the balance", example: "0.00" }),
    balanceAfter: decimal,
    heldAfter: decimal,
  })
  .register(openApi, { id: "Posting", description: "A change of one currency, with the balance after it" });

const rejection = z.nullable(z.strictObject({ code: z.enum(REJECTION_CODES), detail: z.string() }));

/** What every transaction has. */
const base = {
  id: transactionId,
  userId,
  status: z.enum(TRANSACTION_STATUSES),
  sequence: z.nullable(z.int().check(z.gte(1))).register(openApi, {
    description: "Gap-free number of the decision in the wallet's history; null while pending",
  }),
  actor: z.enum(ACTORS).register(openApi, {
    description:
      "Who asked: the wallet's owner, the user to whom a hold is promised, an operator, or the ledger itself",
  }),
  createdAt: timestamp,
  decidedAt: z
    .nullable(timestamp)
    .register(openApi, { description: "Never earlier than that of the previous decision; null while pending" }),
  postings: z
    .array(posting)
    .register(openApi, { description: "What changed in the wallet; empty while pending and if rejected" }),
  rejection,
  reference: z.nullable(reference),
  metadata,
  detailsHash: hash,
  previousHash: z
    .nullable(hash)
    .register(openApi, { description: "Hash of the user's previous decision; null for the first and while pending" }),
  hash: z.nullable(hash).register(openApi, { description: "Hash of this decision; null while pending" }),
};
const decidedAmount = z.nullable(decimal).register(openApi, {
  description: "The requested amount; if none was requested, what the decision took, and null before it",
});
const requestedAmount = z.nullable(decimal).register(openApi, {
  description: "null if the request had none, and the decision takes all that remains",
});
const referringTo = (what: string) => transactionId.clone().register(openApi, { description: `The \`id\` of ${what}` });
const reversed = z.nullable(decimal).register(openApi, {
  description: "How much of it is reversed; null if it can't be reversed",
});
const transfer = z
  .strictObject({
    to: userId,
    creditId: z.nullable(transactionId).register(openApi, { description: "The credit in the receiver's wallet" }),
    status: z.nullable(z.enum(TRANSFER_STATUSES)).register(openApi, {
      description:
        "Where the money is: between the wallets, in the receiver's, or back in this one; null unless posted",
    }),
  })
  .register(openApi, { id: "TransferState" });
const holdState = z
  .strictObject({
    to: z.nullable(userId),
    expiresAt: timestamp,
    remaining: z.nullable(decimal).register(openApi, { description: "What is still held; null unless posted" }),
    status: z.nullable(z.enum(HOLD_STATUSES)).register(openApi, { description: "null unless posted" }),
  })
  .register(openApi, { id: "HoldState" });
const source = z
  .strictObject({
    type: z.enum(SOURCE_TYPES),
    userId,
    transactionId,
    refersTo: z.nullable(transactionId).register(openApi, {
      description: "What that transaction refers to: the captured hold, or the credit that it refunds",
    }),
  })
  .register(openApi, { id: "Source", description: "The transaction of another wallet that caused the credit" });

function ofType<const Type extends (typeof COMMAND_TYPES)[number], Shape extends z.core.$ZodShape>(
  id: string,
  type: Type,
  shape: Shape,
) {
  return z.strictObject({ ...base, type: z.literal(type), ...shape }).register(openApi, { id });
}

export const transactionSchema = z
  .discriminatedUnion("type", [
    ofType("Deposit", "deposit", { ...money, reversed }),
    ofType("Withdrawal", "withdrawal", { ...money, reversed }),
    ofType("Transfer", "transfer", { ...money, transfer }),
    ofType("Credit", "credit", {
      ...money,
      source,
      refersTo: z.nullable(referringTo("the credit whose refund came back")),
      reversed,
    }),
    ofType("Hold", "hold", { ...money, hold: holdState }),
    ofType("Capture", "capture", {
      currency: currencyCode,
      amount: decidedAmount,
      requestedAmount,
      refersTo: referringTo("the hold"),
      final: z.boolean(),
      transfer: z.nullable(transfer),
      reversed,
    }),
    ofType("Release", "release", {
      currency: currencyCode,
      amount: decidedAmount,
      refersTo: referringTo("the hold"),
    }),
    ofType("Expiry", "expiry", {
      currency: currencyCode,
      amount: decidedAmount,
      refersTo: referringTo("the hold"),
    }),
    ofType("Exchange", "exchange", { ...money, buy: z.strictObject(money), reversed }),
    ofType("Reversal", "reversal", {
      currency: currencyCode,
      amount: decidedAmount,
      requestedAmount,
      refersTo: referringTo("the original"),
      transfer: z.nullable(transfer),
    }),
    ofType("StatusChange", "status_change", {
      currency: z.null(),
      amount: z.null(),
      newStatus: z.enum(WALLET_STATUSES),
    }),
  ])
  .register(openApi, { id: "Transaction" });

/** CloudEvents 1.0. */
export const eventSchema = z
  .strictObject({
    specversion: z.literal("1.0"),
    id: z.string().register(openApi, {
      description: "The user id and the sequence number: the same whenever the event is published or delivered again",
      example: "alice/1",
    }),
    source: z.string().register(openApi, { description: "Name of the service and its stage", example: "antler-prod" }),
    type: z.enum(DECIDED_STATUSES.map((status) => `antler.transaction.${status}` as const)),
    subject: transactionId.register(openApi, { description: "The `id` of the transaction" }),
    time: timestamp.register(openApi, { description: "When the transaction was decided" }),
    datacontenttype: z.literal("application/json"),
    data: transactionSchema,
  })
  .register(openApi, { id: "Event", description: "A decision. `data` is the transaction as it was right after it." });

/** What the other user of a promised hold sees of it, and of its own captures and releases. */
export const promisedSchema = z
  .strictObject({
    id: transactionId,
    type: z.enum(["hold", "capture", "release"]),
    status: base.status,
    createdAt: base.createdAt,
    decidedAt: base.decidedAt,
    currency: currencyCode,
    amount: decidedAmount,
    rejection,
    transfer: z.nullable(transfer),
    hold: z.nullable(z.pick(holdState, { expiresAt: true, remaining: true, status: true })),
  })
  .register(openApi, { id: "PromisedTransaction" });

const provisional = z.optional(z.literal(true)).register(openApi, {
  description: "Present while a decision that is being written can still change this answer; at most 30 seconds",
});

export const balancesSchema = z
  .strictObject({
    userId,
    status: z.enum(WALLET_STATUSES),
    sequence: z
      .int()
      .check(z.gte(0))
      .register(openApi, { description: "Sequence number of the last decision; 0 before the first" }),
    hash: z.nullable(hash).register(openApi, { description: "Hash of the last decision; null before the first" }),
    provisional,
    balances: z.array(
      z.strictObject({
        currency: currencyCode,
        amount: decimal.clone().register(openApi, { description: "The balance: available and held together" }),
        held: decimal,
        available: decimal,
      }),
    ),
  })
  .register(openApi, { id: "Balances" });

const timeParameter = (description: string) => z.optional(time).register(openApi, { param: { description } });

const cursor = z
  .optional(z.string().check(z.maxLength(64, "must be the `nextCursor` of a page")))
  .register(openApi, { param: { description: "`nextCursor` of the previous page" } });

const limit = (description: string, byDefault: number) =>
  z
    .pipe(
      z.transform((limit) => (/^[1-9][0-9]{0,2}$/.test(String(limit)) ? Number(limit) : limit)),
      z._default(
        z.int(`must be a whole number from 1 to ${HISTORY_LIMIT_MAX}`).check(z.gte(1), z.lte(HISTORY_LIMIT_MAX)),
        byDefault,
      ),
    )
    .register(openApi, { param: { description } });

export const balancesQuery = z.strictObject({
  at: timeParameter("The moment of which the balances are, ISO 8601; now if absent"),
});

export const historyQuery = z.strictObject({
  limit: limit("Page size", 25),
  cursor,
  from: timeParameter("Only decisions of this time or later, ISO 8601"),
  to: timeParameter("Only decisions before this time, ISO 8601"),
  type: z.optional(z.enum(COMMAND_TYPES, `must be one of ${COMMAND_TYPES.join(", ")}`)),
  currency: z.optional(currencyCode).register(openApi, { description: "Currency code, also of a disabled currency" }),
  status: z
    .optional(z.enum(DECIDED_STATUSES, `must be ${DECIDED_STATUSES.join(" or ")}`))
    .register(openApi, { param: { description: "The history has no pending transactions" } }),
});

export const statementQuery = z.strictObject({
  currency: currencyCode,
  from: timeParameter("Start of the period, included, ISO 8601; by default the wallet's first decision"),
  to: timeParameter("End of the period, excluded, ISO 8601; by default now"),
  limit: limit("The most decisions of a page; those without a line of the currency count too", 100),
  cursor,
});

export const statementSchema = z
  .strictObject({
    userId,
    currency: currencyCode,
    from: z.nullable(timestamp),
    to: timestamp,
    provisional,
    opening: decimal.clone().register(openApi, { description: "Balance before the first line of the page" }),
    credits: decimal.clone().register(openApi, { description: "Sum of the credits of the page" }),
    debits: decimal.clone().register(openApi, { description: "Sum of the debits of the page" }),
    closing: decimal
      .clone()
      .register(openApi, { description: "Balance after the last line: opening + credits − debits" }),
    lines: z.array(
      z.strictObject({
        id: transactionId,
        sequence: z.int().check(z.gte(1)),
        type: z.enum(COMMAND_TYPES),
        decidedAt: timestamp,
        reference: z.nullable(reference),
        credit: z.nullable(decimal),
        debit: z.nullable(decimal),
        balance: decimal,
      }),
    ),
    nextCursor: z.nullable(z.string()).register(openApi, { description: "null on the last page" }),
  })
  .register(openApi, { id: "Statement", description: "A page of a statement, oldest line first" });

export const historySchema = z
  .strictObject({
    data: z.array(transactionSchema),
    nextCursor: z.nullable(z.string()).register(openApi, { description: "null on the last page" }),
  })
  .register(openApi, { id: "History" });

export const holdsQuery = z.strictObject({ limit: limit("Page size", 25), cursor });

export const currenciesSchema = z
  .strictObject({
    data: z.array(z.strictObject({ code: currencyCode, name: z.string(), exponent: z.int().check(z.gte(0)) })),
  })
  .register(openApi, { id: "Currencies" });

export const healthSchema = z.strictObject({ status: z.literal("ok") }).register(openApi, { id: "Health" });

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    requestId: z.string(),
    errors: z.optional(
      z.array(
        z.strictObject({ pointer: z.optional(z.string()), parameter: z.optional(z.string()), detail: z.string() }),
      ),
    ),
    transaction: z.optional(z.union([transactionSchema, promisedSchema])),
  })
  .register(openApi, { id: "Problem", description: "RFC 9457 problem details with a stable `code`" });

const batchResult = z.union([
  z.strictObject({
    status: z.literal(202),
    replayed: z.optional(z.literal(true)).register(openApi, { description: "The key was used before for the same" }),
    transaction: z.union([transactionSchema, promisedSchema]),
  }),
  z.strictObject({ status: z.int(), problem: problemSchema }),
]);
export const batchSchema = z
  .strictObject({ results: z.array(batchResult) })
  .register(openApi, { id: "BatchResults", description: "One result for each command, in the order of the request" });

export type Details = z.infer<typeof detailsBody>;
export type MovementBody = z.infer<typeof movementBody>;
export type TransferBody = z.infer<typeof transferBody>;
export type HoldBody = z.infer<typeof holdBody>;
export type CaptureBody = z.infer<typeof captureBody>;
export type ExchangeBody = z.infer<typeof exchangeBody>;
export type ReversalBody = z.infer<typeof reversalBody>;
export type StatusChangeBody = z.infer<typeof statusChangeBody>;
export type BatchView = z.infer<typeof batchSchema>;
export type TransactionView = z.infer<typeof transactionSchema>;
export type EventView = z.infer<typeof eventSchema>;
export type PromisedView = z.infer<typeof promisedSchema>;
export type BalancesView = z.infer<typeof balancesSchema>;
export type StatementView = z.infer<typeof statementSchema>;
export type HistoryView = z.infer<typeof historySchema>;
export type CurrenciesView = z.infer<typeof currenciesSchema>;
