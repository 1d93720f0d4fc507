import * as z from "zod/mini";
import { COMMAND_TYPES, type Command } from "../domain/command.ts";
import type { Transaction } from "../domain/transaction.ts";

/** What travels through the queue: all that the consumer needs to decide without reading the transaction. */
export interface Message {
  readonly command: Command;
  /** As stored with the accepted transaction; the consumer decides only what was accepted. */
  readonly fingerprint: string;
  /** ISO 8601, UTC. */
  readonly acceptedAt: string;
  /** Id of the HTTP request that sent the command, for following it through the logs. */
  readonly requestId: string;
}

/** The message of an accepted command. */
export function messageOf(transaction: Transaction, requestId: string): Message {
  const { type, id, userId, currency, amountMinor, fingerprint, createdAt } = transaction;
  return { command: { type, id, userId, currency, amountMinor }, fingerprint, acceptedAt: createdAt, requestId };
}

/** Equal for messages of the same accepted command, however often it was sent. */
export function contentOf({ command, fingerprint }: Pick<Message, "command" | "fingerprint">): string {
  const { type, id, userId, currency, amountMinor } = command;
  return JSON.stringify([userId, id, type, currency, amountMinor.toString(), fingerprint]);
}

const VERSION = 1;

/** The table stores UTF-8, which has no half of a surrogate pair; JSON's escapes can spell one. */
const text = (lengthMin: number, lengthMax: number) =>
  z.string().check(
    z.minLength(lengthMin),
    z.maxLength(lengthMax),
    z.refine((value) => value.isWellFormed()),
  );

const bodySchema = z.strictObject({
  version: z.literal(VERSION),
  type: z.enum(COMMAND_TYPES),
  id: text(1, 64),
  userId: text(1, 128),
  currency: text(1, 16),
  // At most 38 digits: MINOR_UNITS_MAX.
  amountMinor: z.pipe(z.string().check(z.regex(/^[1-9][0-9]{0,37}$/)), z.transform<string, bigint>(BigInt)),
  fingerprint: text(1, 64),
  acceptedAt: z.iso.datetime(),
  requestId: text(0, 128),
});

export function encodeMessage({ command, fingerprint, acceptedAt, requestId }: Message): string {
  const { type, id, userId, currency, amountMinor } = command;
  const body: z.input<typeof bodySchema> = {
    version: VERSION,
    type,
    id,
    userId,
    currency,
    amountMinor: amountMinor.toString(),
    fingerprint,
    acceptedAt,
    requestId,
  };
  return JSON.stringify(body);
}

/** @returns `undefined` for a body that {@link encodeMessage} did not make */
export function decodeMessage(body: string): Message | undefined {
  const parsed = bodySchema.safeParse(parseJson(body));
  if (!parsed.success) return undefined;
  const { type, id, userId, currency, amountMinor, fingerprint, acceptedAt, requestId } = parsed.data;
  return { command: { type, id, userId, currency, amountMinor }, fingerprint, acceptedAt, requestId };
}

const otherVersionSchema = z
  .looseObject({ version: z.int(), type: z.string() })
  .check(z.refine(({ version, type }) => version !== VERSION || !COMMAND_TYPES.some((known) => known === type)));

/** True for a message of a version or a type that this one does not know, such as a newer version sends during a deploy. */
export function isOfOtherVersion(body: string): boolean {
  return otherVersionSchema.safeParse(parseJson(body)).success;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
