import * as z from "zod";
import { stageName } from "../../../scripts/stageName.ts";

/** The options that commands share, with what their help says about them. */

const WAIT_SECONDS_MAX = 20;
const WAIT_SECONDS = 10;

export const notEmpty = z.string().min(1, "must not be empty");

/** As the API takes it. The API itself checks the decimals of the currency. */
export const amount = z.string().regex(/^[0-9]{1,36}(\.[0-9]{1,18})?$/, "must be a decimal number such as 12.34");
export const currency = z.string().regex(/^[A-Z0-9]{1,16}$/, "must be the code of a currency, such as USD");
export const time = z.iso
  .datetime({ offset: true, error: "must be a time such as 2026-11-23T09:30:00Z" })
  .regex(/:\d\d(\.\d{1,3})?(Z|[+-])/, "must have at most milliseconds");
export const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

/** An option without a value. */
export function flag(description: string) {
  return z.literal(true, "has no value").optional().meta({ description });
}

/** An option with a value. */
export function optional<Schema extends z.core.$ZodType>(schema: Schema, value: string, description: string) {
  return z.optional(schema).meta({ value, description });
}

const connection = {
  "api-url": optional(httpUrl, "URL", "the API; by default that of the stage, or ANTLER_API_URL"),
  stage: optional(stageName, "STAGE", "a stage named in antler login; by default ANTLER_STAGE, or local: npm start"),
};

const output = {
  json: flag("print JSON: one line for each item"),
  "dry-run": flag("print the request, and send nothing"),
};

/** Whole seconds to wait, as many as the API allows. */
export function waitOption(description: string) {
  const message = `must be a whole number from 0 to ${WAIT_SECONDS_MAX}`;
  return z
    .string()
    .regex(/^[0-9]{1,2}$/, message)
    .transform(Number)
    .refine((seconds) => seconds <= WAIT_SECONDS_MAX, message)
    .default(WAIT_SECONDS)
    .meta({ value: "SECONDS", description: `${description}, at most ${WAIT_SECONDS_MAX}; by default ${WAIT_SECONDS}` });
}

export const connectionOptions = connection;

/** Of a command that reads, without a user. */
export const publicOptions = { ...output, ...connection };

/** Of a command that reads a wallet. */
export const readOptions = {
  user: optional(notEmpty, "USER", "the wallet's user; by default that of the token"),
  ...publicOptions,
};

const pair = z.string().regex(/^[A-Za-z0-9_.:-]{1,40}=/, "must be NAME=VALUE");

/** Of a command that moves money. */
export const movementOptions = {
  key: optional(
    z
      .string()
      .regex(
        /^(?! )[ -+\x2d-~]{1,255}(?<! )$/,
        "must be 1 to 255 printable ASCII characters without a comma or outer spaces",
      ),
    "KEY",
    "the idempotency key; by default a new one, which is printed",
  ),
  wait: waitOption("how long to wait for the outcome"),
  reference: optional(
    z.string().min(1, "must not be empty").max(140, "must be at most 140 characters"),
    "TEXT",
    "your own reference",
  ),
  metadata: optional(z.array(pair), "NAME=VALUE", "your own data; can be repeated"),
  ...readOptions,
};
