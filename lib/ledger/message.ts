import * as z from "zod/mini";
import { COMMAND_TYPES, type Command } from "../domain/command.ts";
import { contentHashOf } from "../domain/hash.ts";
import { commandOf, type Transaction } from "../domain/transaction.ts";
import { commandSchema } from "./commandSchema.ts";

/** What travels through the queue: all that the consumer needs to decide without reading the transaction. */
export interface Message {
  readonly command: Command;
  /** Of the command. The consumer decides only what was accepted: the stored transaction must have the same hash. */
  readonly contentHash: string;
  /** Id of the HTTP request that sent the command, for following it through the logs. */
  readonly requestId: string;
}

export function messageOf(command: Command, requestId: string): Message {
  return { command, contentHash: contentHashOf(command), requestId };
}

/** The message of a stored transaction, whatever became of it. */
export function storedMessage(transaction: Transaction, requestId: string): Message {
  return messageOf(commandOf(transaction), requestId);
}

const VERSION = 1;

/** The table stores UTF-8, which has no half of a surrogate pair; JSON's escapes can spell one. */
const text = (lengthMin: number, lengthMax: number) =>
  z.string().check(
    z.minLength(lengthMin),
    z.maxLength(lengthMax),
    z.refine((value) => value.isWellFormed()),
  );

const bodySchema = commandSchema(
  {
    object: z.strictObject,
    text: (lengthMax) => text(1, lengthMax),
    time: z.iso.datetime({ precision: 3 }),
    // At most 36 digits: MINOR_UNITS_MAX.
    minor: z.pipe(z.string().check(z.regex(/^[1-9][0-9]{0,35}$/)), z.transform<string, bigint>(BigInt)),
    digits: z.int().check(z.gte(0), z.lte(36)),
  },
  { version: z.literal(VERSION), detailsHash: text(1, 64), requestId: text(0, 128) },
);

export function encodeMessage({ command, requestId }: Message): string {
  return JSON.stringify({ version: VERSION, ...command, requestId }, (_, value) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}

/** @returns `undefined` for a body that {@link encodeMessage} did not make */
export function decodeMessage(body: string): Message | undefined {
  const parsed = bodySchema.safeParse(parseJson(body));
  if (!parsed.success) return undefined;
  const { version: _, requestId, ...command } = parsed.data;
  return messageOf(command, requestId);
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
