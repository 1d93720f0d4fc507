import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../testkit/commands.ts";
import { commandWith } from "../../testkit/storeContract.ts";
import { ACTORS, type Command, type CommandType } from "../domain/command.ts";
import { contentHashOf } from "../domain/hash.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import { SOURCE_TYPES } from "../domain/movements/credit.ts";
import { WALLET_STATUSES } from "../domain/state.ts";
import {
  COMMANDS_MAX,
  commandsIn,
  decodeMessage,
  deduplicationIdOf,
  encodeMessage,
  isOfOtherVersion,
  MalformedCommand,
  type Message,
  messagesOf,
  receivedCommand,
  userIdOf,
} from "./message.ts";

const messageOf = (...commands: Command[]): Message => ({ commands, requestId: "request-1" });
const message = messageOf(commandWith({ id: "tx_1", amountMinor: 1234n }));
const [encodedCommand] = JSON.parse(encodeMessage(message)).commands;

/** The message's body with something changed, or left out if it is undefined. */
function bodyWith(change: Record<string, unknown>): string {
  const body: Record<string, unknown> = JSON.parse(encodeMessage(message));
  return JSON.stringify({ ...body, ...change });
}

/** The message's body with something in its command changed, or left out if it is undefined. */
function bodyWithCommand(change: Record<string, unknown>): string {
  return bodyWith({ commands: [{ ...encodedCommand, ...change }] });
}

/** The only command of a body that can be decoded, unless it is malformed. */
const decodedCommand = (body: string) => commandsIn(decodeMessage(body))[0];

const text = (maxLength: number) => fc.string({ minLength: 1, maxLength });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Any command, with and without the fields that are optional. */
function commands(): fc.Arbitrary<Command> {
  const [id, userId] = [text(64), text(128)];
  const time = fc
    .date({ noInvalidDate: true, min: new Date("2000-01-01"), max: new Date("2999-01-01") })
    .map((date) => date.toISOString());
  const money = { currency: text(16), exponent: fc.nat(36) };
  const amountMinor = fc.bigInt({ min: 1n, max: MINOR_UNITS_MAX });
  const base = { id, userId, actor: fc.constantFrom(...ACTORS), createdAt: time, detailsHash: text(64) };
  const withAmount = { ...base, ...money, amountMinor };
  const withOptionalAmount = { ...base, ...money, amountMinor: optional(amountMinor) };
  const source = fc.record({
    type: fc.constantFrom(...SOURCE_TYPES),
    userId,
    transactionId: id,
    refersTo: optional(id),
  });
  return fc.oneof(
    fc.record({ ...withAmount, type: fc.constant("deposit" as const) }),
    fc.record({ ...withAmount, type: fc.constant("withdrawal" as const) }),
    fc.record({ ...withAmount, type: fc.constant("transfer" as const), to: userId }),
    fc.record({ ...withAmount, type: fc.constant("credit" as const), source, refersTo: optional(id) }),
    fc.record({ ...withAmount, type: fc.constant("hold" as const), to: optional(userId), expiresAt: time }),
    fc.record({
      ...withOptionalAmount,
      type: fc.constant("capture" as const),
      refersTo: id,
      final: fc.boolean(),
      to: optional(userId),
    }),
    fc.record({ ...base, ...money, type: fc.constant("release" as const), refersTo: id }),
    fc.record({ ...base, ...money, type: fc.constant("expiry" as const), refersTo: id }),
    fc.record({
      ...withAmount,
      type: fc.constant("exchange" as const),
      bought: fc.record({ ...money, amountMinor }),
    }),
    fc.record({ ...withOptionalAmount, type: fc.constant("reversal" as const), refersTo: id, to: optional(userId) }),
    fc.record({
      ...base,
      type: fc.constant("status_change" as const),
      newStatus: fc.constantFrom(...WALLET_STATUSES),
    }),
  );
}

describe("a message", () => {
  it("is decoded as it was encoded", () => {
    fc.assert(
      fc.property(fc.array(commands(), { minLength: 1 }), fc.string({ maxLength: 128 }), (sentCommands, requestId) => {
        const sent = { commands: sentCommands, requestId };
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([1n, MINOR_UNITS_MAX])("carries the amount %s without loss", (amountMinor) => {
    expect(decodedCommand(encodeMessage(messageOf(commandWith({ amountMinor }))))?.amountMinor).toBe(amountMinor);
  });

  it.each([
    ["the empty string", ""],
    ["broken JSON", '{"version":1,'],
    ["text", "hello"],
    ["null", "null"],
    ["an array", "[]"],
    ["an array of a message", `[${encodeMessage(message)}]`],
    ["a message within a string", JSON.stringify(encodeMessage(message))],
    ["a number", "1"],
    ["an empty object", "{}"],
    ["an extra field", bodyWith({ extra: true })],
    ["no commands", bodyWith({ commands: undefined })],
    ["an empty list of commands", bodyWith({ commands: [] })],
    ["more than 100 commands", bodyWith({ commands: Array(101).fill(encodedCommand) })],
    ["commands that are no list", bodyWith({ commands: { 0: encodedCommand } })],
    ["a command beside the list", bodyWith({ ...encodedCommand })],
    ["a __proto__ field", encodeMessage(message).replace("{", '{"__proto__":{},')],
    ["a later version", bodyWith({ version: 2 })],
    ["a version in a string", bodyWith({ version: "1" })],
    ["a request id with half a surrogate pair", bodyWith({ requestId: "\udc00" })],
    ["a long request id", bodyWith({ requestId: "x".repeat(129) })],
  ])("is not decoded from %s", (_what, body) => {
    expect(decodeMessage(body)).toBeUndefined();
  });

  it.each([
    ["null", bodyWith({ commands: [null] })],
    ["a list", bodyWith({ commands: [[encodedCommand]] })],
    ["text", bodyWith({ commands: [JSON.stringify(encodedCommand)] })],
    ["an extra field", bodyWithCommand({ extra: true })],
    ["a __proto__ field", encodeMessage(message).replace("[{", '[{"__proto__":{},')],
    ["an unknown type", bodyWithCommand({ type: "loan" })],
    ["the amount 0", bodyWithCommand({ amountMinor: "0" })],
    ["a negative amount", bodyWithCommand({ amountMinor: "-1" })],
    ["an amount with a sign", bodyWithCommand({ amountMinor: "+1" })],
    ["an amount with a leading zero", bodyWithCommand({ amountMinor: "01" })],
    ["an amount with a point", bodyWithCommand({ amountMinor: "1.0" })],
    ["an amount in hexadecimal", bodyWithCommand({ amountMinor: "0x1" })],
    ["an amount of 37 digits", bodyWithCommand({ amountMinor: `1${"0".repeat(36)}` })],
    ["an amount that is a JSON number", bodyWithCommand({ amountMinor: 1234 })],
    ["an amount that is null", bodyWithCommand({ amountMinor: null })],
    ["an empty id", bodyWithCommand({ id: "" })],
    ["a long id", bodyWithCommand({ id: "x".repeat(65) })],
    ["an empty user", bodyWithCommand({ userId: "" })],
    ["a long user", bodyWithCommand({ userId: "x".repeat(129) })],
    ["a user with half a surrogate pair", bodyWithCommand({ userId: "alice\ud800" })],
    ["an empty currency", bodyWithCommand({ currency: "" })],
    ["an empty details hash", bodyWithCommand({ detailsHash: "" })],
    ["a content hash of its own", bodyWithCommand({ contentHash: contentHashOf(commandWith()) })],
    ["another actor", bodyWithCommand({ actor: "service" })],
    ["a negative exponent", bodyWithCommand({ exponent: -1 })],
    ["an exponent above 36", bodyWithCommand({ exponent: 37 })],
    ["an exponent in a string", bodyWithCommand({ exponent: "2" })],
    ["a time that is none", bodyWithCommand({ createdAt: "yesterday" })],
    ["a time without milliseconds, which sorts otherwise", bodyWithCommand({ createdAt: "2026-11-23T09:30:00Z" })],
    ["a time of another zone, which sorts otherwise", bodyWithCommand({ createdAt: "2026-11-23T10:30:00.000+01:00" })],
  ])("has a malformed command, which is encoded as it was, for %s", (_what, body) => {
    const decoded = decodeMessage(body);
    expect(decoded?.commands).toEqual([expect.any(MalformedCommand)]);
    expect(decoded && encodeMessage(decoded)).toBe(body);
  });

  it("of version 1 is decoded as it was sent in November 2026", () => {
    const body =
      '{"version":1,"requestId":"5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f","commands":[{"type":"withdrawal","id":"tx_U4mTpvkLEue5WwRVJC9WLs6SPZiRYKfICn0vZaP8jH0","userId":"alice",' +
      '"actor":"admin","createdAt":"2026-11-24T09:30:00.000Z","currency":"USD","exponent":2,"amountMinor":"12345",' +
      '"detailsHash":"kq2bJyn4Rv0cSBqI8Ka0Xw_9k3Zc4EnM1YbW2l0aW5s"}]}';
    const decoded = decodeMessage(body);
    expect(decoded).toEqual({
      commands: [
        {
          type: "withdrawal",
          id: "tx_U4mTpvkLEue5WwRVJC9WLs6SPZiRYKfICn0vZaP8jH0",
          userId: "alice",
          actor: "admin",
          createdAt: "2026-11-24T09:30:00.000Z",
          currency: "USD",
          exponent: 2,
          amountMinor: 12345n,
          detailsHash: "kq2bJyn4Rv0cSBqI8Ka0Xw_9k3Zc4EnM1YbW2l0aW5s",
        },
      ],
      requestId: "5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f",
    });
  });

  it.each([
    ["a later version", bodyWith({ version: 2, hold: {} }), true],
    ["a later version of another shape", '{"version":2,"items":{"deposit":[]}}', true],
    ["a later version whose commands are no list", '{"version":2,"commands":{"first":{}}}', true],
    ["an earlier version", bodyWith({ version: 0 }), true],
    ["an unknown type", bodyWithCommand({ type: "loan" }), true],
    ["an unknown type among others", bodyWith({ commands: [encodedCommand, { type: "loan" }] }), true],
    ["a malformed command among others", bodyWith({ commands: [encodedCommand, null, 1, [], {}] }), false],
    ["another type with a missing field", bodyWithCommand({ type: "transfer" }), false],
    ["this version with a wrong field", bodyWithCommand({ amountMinor: "0" }), false],
    ["this version", encodeMessage(message), false],
    ["no version", bodyWith({ version: undefined }), false],
    ["no type", bodyWithCommand({ type: undefined }), false],
    ["a version in a string", bodyWith({ version: "2" }), false],
    ["broken JSON", '{"version":2,', false],
  ])("with %s is of another version: %s is %s", (_what, body, expected) => {
    expect(isOfOtherVersion(body)).toBe(expected);
  });

  /** What a decision finds itself, or what not every command of the type has. */
  const OPTIONAL: Partial<Record<CommandType, readonly string[]>> = {
    credit: ["refersTo"],
    hold: ["to"],
    capture: ["amountMinor", "to"],
    reversal: ["amountMinor", "to"],
  };

  describe.each(Object.values(COMMANDS))("of a $type", (command) => {
    const body = JSON.parse(encodeMessage(messageOf(command)));
    const fields: Record<string, unknown> = body.commands[0];
    const decodedWith = (change: Record<string, unknown>) =>
      decodedCommand(JSON.stringify({ ...body, commands: [{ ...fields, ...change }] }));

    it("is decoded", () => {
      expect(decodedWith({})).toEqual(command);
    });

    it.each(Object.keys(fields))("is decoded without its %s only if that is optional", (field) => {
      const isOptional = OPTIONAL[command.type]?.includes(field) ?? false;
      expect(decodedWith({ [field]: undefined }) !== undefined).toBe(isOptional);
    });

    it.each(Object.keys(fields))("is not decoded with null, an object or an empty text as its %s", (field) => {
      for (const value of [null, {}, ""]) {
        expect(decodedWith({ [field]: value })).toBeUndefined();
      }
    });

    it.each([...new Set(Object.values(COMMANDS).flatMap(Object.keys))].filter((field) => !(field in fields)))(
      "is not decoded with the field %s, which another type has",
      (field) => {
        const other = Object.values(COMMANDS).find((candidate) => field in candidate);
        const [others] = JSON.parse(encodeMessage(messageOf(other ?? command))).commands;
        expect(decodedWith({ [field]: others[field] })).toBeUndefined();
      },
    );
  });

  it.each([
    ["an unknown source", { ...COMMANDS.credit, source: { ...COMMANDS.credit.source, type: "gift" } }],
    ["a source with an extra field", { ...COMMANDS.credit, source: { ...COMMANDS.credit.source, extra: true } }],
    ["a source without its user", { ...COMMANDS.credit, source: { ...COMMANDS.credit.source, userId: undefined } }],
    [
      "an amount that is bought without its currency",
      { ...COMMANDS.exchange, bought: { exponent: 0, amountMinor: "1" } },
    ],
    ["the bought amount 0", { ...COMMANDS.exchange, bought: { ...COMMANDS.exchange.bought, amountMinor: "0" } }],
    [
      "a bought amount with an extra field",
      { ...COMMANDS.exchange, bought: { ...COMMANDS.exchange.bought, rate: "1" } },
    ],
    ["an expiry without milliseconds, which sorts otherwise", { ...COMMANDS.hold, expiresAt: "2026-11-30T09:30:00Z" }],
    ["a final that is a text", { ...COMMANDS.capture, final: "true" }],
    ["an unknown status", { ...COMMANDS.status_change, newStatus: "dormant" }],
  ])("is not decoded from %s", (_what, fields) => {
    const body = encodeMessage({ commands: [new MalformedCommand(fields)], requestId: "" });
    expect(decodeMessage(body)?.commands).toEqual([expect.any(MalformedCommand)]);
  });

  it.each([
    ["type", "withdrawal"],
    ["id", "tx_2"],
    ["userId", "bob"],
    ["actor", "admin"],
    ["createdAt", "2026-11-23T09:30:00.001Z"],
    ["currency", "EUR"],
    ["exponent", 3],
    ["amountMinor", "1235"],
    ["detailsHash", "another"],
  ])("whose command has another %s has another content hash", (field, value) => {
    const other = decodedCommand(bodyWithCommand({ [field]: value }));
    const [command = other] = message.commands;
    if (!command || !other) throw new Error("The body is malformed");
    expect(receivedCommand(other, "request-1").contentHash).not.toBe(receivedCommand(command, "request-1").contentHash);
  });

  it("with another request id has the same content hash, because a repeated request has another", () => {
    const [command = commandWith()] = message.commands;
    const [one, other] = [receivedCommand(command, "request-1"), receivedCommand(command, "request-2")];
    expect(one.contentHash).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(other.contentHash).toBe(one.contentHash);
  });
});

describe("a message of many commands", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => commandWith({ id: `tx_${index}` }));

  it("carries up to 100 commands in order", () => {
    expect(COMMANDS_MAX).toBe(100);
    for (const count of [1, 2, 100]) {
      const sent = messageOf(...many(count));
      expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
    }
  });

  it("has its commands decoded one by one: a malformed one leaves the others as they are", () => {
    const [first = encodedCommand, second = encodedCommand] = many(2);
    const wrong = [{ ...encodedCommand, amountMinor: -5, note: "\u2028 é" }, null, "text", [1, { a: [] }], 12.5];
    const body = encodeMessage({
      commands: [first, ...wrong.map((value) => new MalformedCommand(value)), second],
      requestId: "request-1",
    });

    const decoded = decodeMessage(body);
    expect(commandsIn(decoded)).toEqual([first, second]);
    expect(decoded?.commands).toEqual([first, ...wrong.map((value) => new MalformedCommand(value)), second]);
    expect(JSON.parse(decoded ? encodeMessage(decoded) : "")).toEqual(JSON.parse(body));
  });

  it("that can't be decoded has no commands", () => {
    expect(commandsIn(undefined)).toEqual([]);
  });

  it("has a deduplication id of 43 characters, of the ids of its commands in their order", () => {
    const [first = commandWith(), second = commandWith()] = many(2);
    const ids = [[first], [second], [first, second], [second, first]].map((each) =>
      deduplicationIdOf(messageOf(...each)),
    );
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
    // A repeated request has another id, and the queue must drop its message all the same.
    expect(deduplicationIdOf({ commands: [first], requestId: "request-2" })).toBe(ids[0]);
    const split = [commandWith({ id: 'tx_0","tx_1' })];
    expect(deduplicationIdOf(messageOf(...split))).not.toBe(ids[2]);
  });

  it("is one for each user and request, with the user's commands in their order", () => {
    const [a1, b1, a2, a3, b2] = ["alice", "bob", "alice", "alice", "bob"].map((userId) => commandWith({ userId }));
    const sent = [
      { command: a1 ?? commandWith(), requestId: "request-1" },
      { command: b1 ?? commandWith(), requestId: "request-1" },
      { command: a2 ?? commandWith(), requestId: "request-2" },
      { command: a3 ?? commandWith(), requestId: "request-1" },
      { command: b2 ?? commandWith(), requestId: "request-1" },
    ];
    const messages = messagesOf(sent);
    expect(messages).toEqual([
      { commands: [a1, a3], requestId: "request-1" },
      { commands: [b1, b2], requestId: "request-1" },
      { commands: [a2], requestId: "request-2" },
    ]);
    expect(messages.map(userIdOf)).toEqual(["alice", "bob", "alice"]);
    expect(messagesOf([])).toEqual([]);
  });
});
