import * as z from "zod/mini";
import { COMMAND_TYPES } from "../domain/command.ts";
import { REJECTION_CODES } from "../domain/rejection.ts";
import { DECIDED_STATUSES, TRANSACTION_STATUSES } from "../domain/transaction.ts";
import { HISTORY_LIMIT_MAX } from "../ledger/ports.ts";

/**
 * The schemas of the HTTP API. They validate requests, type responses and generate the OpenAPI document.
 */

/** Parts of the OpenAPI document that do not follow from a schema. */
export const openApi = z.globalRegistry;

const atMost = (characters: number) => z.maxLength(characters, `must be at most ${characters} characters`);

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
const text = z
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

export const movementBody = z
  .strictObject(
    {
      currency: currencyCode,
      amount: decimal,
      reference: z.optional(reference),
      metadata: z.optional(metadata),
    },
    "must be a JSON object",
  )
  .register(openApi, { id: "Movement" });

export const transactionId = z
  .string()
  .check(z.regex(/^tx_[A-Za-z0-9_-]{43}$/))
  .register(openApi, {
    id: "TransactionId",
    description: "Derived from the user id and the Idempotency-Key",
    example: `tx_${"x".repeat(43)}`,
    param: { description: "The `id` of the transaction" },
  });

const timestamp = z.iso.datetime().register(openApi, { id: "Timestamp", example: "2026-11-23T09:30:00.000Z" });

export const transactionSchema = z
  .strictObject({
    id: transactionId,
    userId,
    type: z.enum(COMMAND_TYPES),
    currency: currencyCode,
    amount: decimal,
    status: z.enum(TRANSACTION_STATUSES),
    sequence: z.nullable(z.int().check(z.gte(1))).register(openApi, {
      description: "Gap-free number of the decision in the wallet's history; null while pending",
    }),
    balanceAfter: z
      .nullable(decimal)
      .register(openApi, { description: "Balance after the decision; null while pending" }),
    createdAt: timestamp,
    postedAt: z.nullable(timestamp),
    reference: z.nullable(reference),
    metadata,
    rejection: z.nullable(z.strictObject({ code: z.enum(REJECTION_CODES), detail: z.string() })),
  })
  .register(openApi, { id: "Transaction" });

export const balancesSchema = z
  .strictObject({
    userId,
    sequence: z
      .int()
      .check(z.gte(0))
      .register(openApi, { description: "Sequence number of the last decision; 0 before the first" }),
    balances: z.array(z.strictObject({ currency: currencyCode, amount: decimal })),
  })
  .register(openApi, { id: "Balances" });

export const historyQuery = z.strictObject({
  limit: z
    .pipe(
      z.transform((limit) => (/^[1-9][0-9]{0,2}$/.test(String(limit)) ? Number(limit) : limit)),
      z._default(
        z.int(`must be a whole number from 1 to ${HISTORY_LIMIT_MAX}`).check(z.gte(1), z.lte(HISTORY_LIMIT_MAX)),
        25,
      ),
    )
    .register(openApi, { param: { description: "Page size" } }),
  cursor: z
    .optional(z.string().check(z.maxLength(64, "must be the `nextCursor` of a page")))
    .register(openApi, { param: { description: "`nextCursor` of the previous page" } }),
  currency: z.optional(currencyCode).register(openApi, { description: "Currency code, also of a disabled currency" }),
  status: z
    .optional(z.enum(DECIDED_STATUSES, `must be ${DECIDED_STATUSES.join(" or ")}`))
    .register(openApi, { param: { description: "The history has no pending transactions" } }),
});

export const historySchema = z
  .strictObject({
    data: z.array(transactionSchema),
    nextCursor: z.nullable(z.string()).register(openApi, { description: "null on the last page" }),
  })
  .register(openApi, { id: "History" });

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
    transaction: z.optional(transactionSchema),
  })
  .register(openApi, { id: "Problem", description: "RFC 9457 problem details with a stable `code`" });

export type MovementBody = z.infer<typeof movementBody>;
export type TransactionView = z.infer<typeof transactionSchema>;
export type BalancesView = z.infer<typeof balancesSchema>;
export type HistoryView = z.infer<typeof historySchema>;
export type CurrenciesView = z.infer<typeof currenciesSchema>;
