import * as z from "zod";
import { COMMAND_TYPES } from "../domain/command.ts";
import { REJECTION_CODES } from "../domain/rejection.ts";
import { DECIDED_STATUSES, TRANSACTION_STATUSES } from "../domain/transaction.ts";
import { HISTORY_LIMIT_MAX } from "../ledger/ports.ts";

/**
 * The schemas of the HTTP API. They validate requests, type responses and generate the OpenAPI document.
 */

// URL clients resolve the path segments . and .. themselves.
export const userId = z
  .string("must be 1 to 128 of the characters A–Z a–z 0–9 . _ : @ | -, but neither . nor ..")
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._:@|-]{1,128}$/)
  .meta({
    id: "UserId",
    example: "alice",
    param: { id: "userId", description: "The user id, equal to the `sub` of the token" },
  });

const currencyCode = z
  .string('must be the code of a currency, such as "USD"')
  .min(1)
  .max(16)
  .meta({ id: "CurrencyCode", description: "Currency code from `GET /v1/currencies`", example: "USD" });

const decimal = z.string('must be a decimal string, such as "12.34"').max(80, "must be at most 80 characters").meta({
  id: "Amount",
  description: "Decimal string with at most as many decimals as the currency",
  example: "12.34",
});

/** JSON escapes can contain a lone surrogate, which UTF-8 and DynamoDB can't store. */
const text = z.string("must be a string").refine((value) => value.isWellFormed(), "must be well-formed Unicode");

const METADATA_KEYS_MAX = 50;
const metadata = z
  .record(z.string().regex(/^[A-Za-z0-9_.:-]{1,40}$/), text.max(500, "must be at most 500 characters"), {
    error: ({ code }) =>
      code === "invalid_key"
        ? "must have a name of 1 to 40 of the characters A–Z a–z 0–9 _ . : -"
        : "must be an object with string values",
  })
  .refine((pairs) => Object.keys(pairs).length <= METADATA_KEYS_MAX, `must have at most ${METADATA_KEYS_MAX} keys`)
  .meta({
    id: "Metadata",
    description: `Up to ${METADATA_KEYS_MAX} of your own key-value pairs: keys of 1 to 40 characters, values of at most 500`,
    example: { orderId: "A-1001" },
  });

const reference = text
  .min(1, "must not be empty")
  .max(140, "must be at most 140 characters")
  .meta({ id: "Reference", description: "Your own reference, such as an invoice number", example: "invoice 4711" });

export const movementBody = z
  .strictObject(
    {
      currency: currencyCode,
      amount: decimal,
      reference: reference.optional(),
      metadata: metadata.optional(),
    },
    "must be a JSON object",
  )
  .meta({ id: "Movement" });

export const transactionId = z
  .string()
  .regex(/^tx_[A-Za-z0-9_-]{43}$/)
  .meta({
    id: "TransactionId",
    description: "Derived from the user id and the Idempotency-Key",
    example: `tx_${"x".repeat(43)}`,
    param: { description: "The `id` of the transaction" },
  });

const timestamp = z.iso.datetime().meta({ id: "Timestamp", example: "2026-11-23T09:30:00.000Z" });

export const transactionSchema = z
  .strictObject({
    id: transactionId,
    userId,
    type: z.enum(COMMAND_TYPES),
    currency: currencyCode,
    amount: decimal,
    status: z.enum(TRANSACTION_STATUSES),
    sequence: z
      .int()
      .min(1)
      .nullable()
      .meta({ description: "Gap-free number of the decision in the wallet's history; null while pending" }),
    balanceAfter: decimal.nullable().meta({ description: "Balance after the decision; null while pending" }),
    createdAt: timestamp,
    postedAt: timestamp.nullable(),
    reference: reference.nullable(),
    metadata,
    rejection: z.strictObject({ code: z.enum(REJECTION_CODES), detail: z.string() }).nullable(),
  })
  .meta({ id: "Transaction" });

export const balancesSchema = z
  .strictObject({
    userId,
    sequence: z.int().min(0).meta({ description: "Sequence number of the last decision; 0 before the first" }),
    balances: z.array(z.strictObject({ currency: currencyCode, amount: decimal })),
  })
  .meta({ id: "Balances" });

export const historyQuery = z.strictObject({
  limit: z
    .preprocess(
      (limit) => (/^[1-9][0-9]{0,2}$/.test(String(limit)) ? Number(limit) : limit),
      z.int(`must be a whole number from 1 to ${HISTORY_LIMIT_MAX}`).min(1).max(HISTORY_LIMIT_MAX).default(25),
    )
    .meta({ param: { description: "Page size" } }),
  cursor: z
    .string()
    .max(64, "must be the `nextCursor` of a page")
    .optional()
    .meta({ param: { description: "`nextCursor` of the previous page" } }),
  currency: currencyCode.optional().meta({ description: "Currency code, also of a disabled currency" }),
  status: z
    .enum(DECIDED_STATUSES, `must be ${DECIDED_STATUSES.join(" or ")}`)
    .optional()
    .meta({ param: { description: "The history has no pending transactions" } }),
});

export const historySchema = z
  .strictObject({
    data: z.array(transactionSchema),
    nextCursor: z.string().nullable().meta({ description: "null on the last page" }),
  })
  .meta({ id: "History" });

export const currenciesSchema = z
  .strictObject({
    data: z.array(z.strictObject({ code: currencyCode, name: z.string(), exponent: z.int().min(0) })),
  })
  .meta({ id: "Currencies" });

export const healthSchema = z.strictObject({ status: z.literal("ok") }).meta({ id: "Health" });

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    requestId: z.string(),
    errors: z
      .array(z.strictObject({ pointer: z.string().optional(), parameter: z.string().optional(), detail: z.string() }))
      .optional(),
    transaction: transactionSchema.optional(),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem details with a stable `code`" });

export type MovementBody = z.infer<typeof movementBody>;
export type TransactionView = z.infer<typeof transactionSchema>;
export type BalancesView = z.infer<typeof balancesSchema>;
export type HistoryView = z.infer<typeof historySchema>;
export type CurrenciesView = z.infer<typeof currenciesSchema>;
