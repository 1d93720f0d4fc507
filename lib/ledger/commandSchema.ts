import * as z from "zod/mini";
import { ACTORS } from "../domain/command.ts";
import { SOURCE_TYPES } from "../domain/movements/credit.ts";
import { WALLET_STATUSES } from "../domain/state.ts";

/** How a command's fields are encoded. */
interface Encoding {
  /** z.object, or z.strictObject, which rejects unknown fields. */
  readonly object: <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.ZodMiniObject<Shape, z.core.$strip>;
  readonly text: (lengthMax: number) => z.ZodMiniType<string>;
  readonly time: z.ZodMiniType<string>;
  /** Minor units. */
  readonly minor: z.ZodMiniType<bigint>;
  /** Digits after the decimal point. */
  readonly digits: z.ZodMiniType<number>;
}

/**
 * The schema of a command, for the queue's messages and the table's items.
 *
 * @param shared further fields, which every type has
 */
export function commandSchema<Shared extends z.core.$ZodShape>(
  { object, text, time, minor, digits }: Encoding,
  shared: Shared,
) {
  const [id, userId, currency] = [text(64), text(128), text(16)] as const;
  const base = { ...shared, id, userId, actor: z.enum(ACTORS), createdAt: time };
  const inCurrency = { ...base, currency, exponent: digits };
  const withAmount = { ...inCurrency, amountMinor: minor };
  const withOptionalAmount = { ...inCurrency, amountMinor: z.optional(minor) };
  const source = object({
    type: z.enum(SOURCE_TYPES),
    userId,
    transactionId: id,
    refersTo: z.optional(id),
  });
  return z.discriminatedUnion("type", [
    object({ ...withAmount, type: z.literal("deposit") }),
    object({ ...withAmount, type: z.literal("withdrawal") }),
    object({ ...withAmount, type: z.literal("transfer"), to: userId }),
    object({ ...withAmount, type: z.literal("credit"), source, refersTo: z.optional(id) }),
    object({ ...withAmount, type: z.literal("hold"), to: z.optional(userId), expiresAt: time }),
    object({
      ...withOptionalAmount,
      type: z.literal("capture"),
      refersTo: id,
      final: z.boolean(),
      to: z.optional(userId),
    }),
    object({ ...inCurrency, type: z.literal("release"), refersTo: id }),
    object({ ...inCurrency, type: z.literal("expiry"), refersTo: id }),
    object({
      ...withAmount,
      type: z.literal("exchange"),
      bought: object({ currency, exponent: digits, amountMinor: minor }),
    }),
    object({ ...withOptionalAmount, type: z.literal("reversal"), refersTo: id, to: z.optional(userId) }),
    object({ ...base, type: z.literal("status_change"), newStatus: z.enum(WALLET_STATUSES) }),
  ]);
}
