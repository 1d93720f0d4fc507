import * as z from "zod/mini";
import { COMMAND_TYPES, type Command } from "../domain/command.ts";
import { contentHashOf } from "../domain/hash.ts";
import { sha256 } from "../domain/sha256.ts";
import { commandSchema } from "./commandSchema.ts";

/** What travels through the queue: all that the consumer needs to decide without reading the transactions. */
export interface Message {
  /** Commands of one user in order, 1 to {@link COMMANDS_MAX}. */
  readonly commands: readonly Command[];
  /** Id of the HTTP request that sent the commands, for following them through the logs. */
  readonly requestId: string;
}

/** A command that the queue delivered. */
export interface ReceivedCommand {
  readonly command: Command;
  /** Of the command. The consumer decides only what was accepted: the stored transaction must have the same hash. */
  readonly contentHash: string;
  readonly requestId: string;
}

export function receivedCommand(command: Command, requestId: string): ReceivedCommand {
  return { command, contentHash: contentHashOf(command), requestId };
}

/** Commands per message. */
export const COMMANDS_MAX = 100;

/** A command, and the HTTP request that sent it. */
export type SentCommand = Pick<ReceivedCommand, "command" | "requestId">;

/** One message for all commands of a user in a request, in their order. */
export function messagesOf(commands: readonly SentCommand[]): Message[] {
  const groups = Map.groupBy(commands, ({ command, requestId }) => JSON.stringify([command.userId, requestId]));
  return [...groups.values()].map((group) => ({
    commands: group.map(({ command }) => command),
    requestId: group[0]?.requestId ?? "",
  }));
}

/** The user whose commands a message has. */
export function userIdOf({ commands }: Message): string {
  return commands[0]?.userId ?? "";
}

/** The queue drops a message that has the same commands as one of the last five minutes. */
export function deduplicationIdOf({ commands }: Message): string {
  return sha256(JSON.stringify(commands.map(({ id }) => id)));
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
  requestId: text(0, 128),
  commands: z.array(z.unknown()).check(z.minLength(1), z.maxLength(COMMANDS_MAX)),
});

const commandInBody = commandSchema(
  {
    object: z.strictObject,
    text: (lengthMax) => text(1, lengthMax),
    time: z.iso.datetime({ precision: 3 }),
    // At most 36 digits: MINOR_UNITS_MAX.
    minor: z.pipe(z.string().check(z.regex(/^[1-9][0-9]{0,35}$/)), z.transform<string, bigint>(BigInt)),
    digits: z.int().check(z.gte(0), z.lte(36)),
  },
  { detailsHash: text(1, 64) },
);

/** What a message has in the place of a command, if it is none. */
export class MalformedCommand {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }

  toJSON(): unknown {
    return this.value;
  }
}

export interface DecodedMessage {
  readonly commands: readonly (Command | MalformedCommand)[];
  readonly requestId: string;
}

export function encodeMessage({ commands, requestId }: DecodedMessage): string {
  return JSON.stringify({ version: VERSION, requestId, commands }, (_, value) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}

/**
 * Decodes the commands one by one, so that a malformed one does not affect the others.
 *
 * @returns `undefined` for a body that {@link encodeMessage} did not make
 */
export function decodeMessage(body: string): DecodedMessage | undefined {
  const parsed = bodySchema.safeParse(parseJson(body));
  if (!parsed.success) return undefined;
  const { requestId, commands } = parsed.data;
  return { requestId, commands: commands.map(decodeCommand) };
}

/** Those that are not malformed. */
export function commandsIn(message: DecodedMessage | undefined): Command[] {
  return message?.commands.flatMap((command) => (command instanceof MalformedCommand ? [] : [command])) ?? [];
}

function decodeCommand(value: unknown): Command | MalformedCommand {
  const parsed = commandInBody.safeParse(value);
  return parsed.success ? parsed.data : new MalformedCommand(value);
}

const versionSchema = z.looseObject({ version: z.int(), commands: z.optional(z.unknown()) });
const unknownTypeSchema = z.looseObject({
  type: z.string().check(z.refine((type) => !COMMAND_TYPES.some((known) => known === type))),
});

/** True for a message of a version or a type that this one does not know, such as a newer version sends during a deploy. */
export function isOfOtherVersion(body: string): boolean {
  const parsed = versionSchema.safeParse(parseJson(body));
  if (!parsed.success) return false;
  const { version, commands } = parsed.data;
  const isUnknownType = (command: unknown) => unknownTypeSchema.safeParse(command).success;
  return version !== VERSION || (Array.isArray(commands) && commands.some(isUnknownType));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
