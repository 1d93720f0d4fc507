import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../testkit/commands.ts";
import { commandWith } from "../../testkit/storeContract.ts";
import { ACTORS, type Command, type CommandType } from "../domain/command.ts";
import { contentHashOf } from "../domain/hash.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import { SOURCE_TYPES } from "../domain/movements/credit.ts";
import { WALLET_STATUSES } from "../domain/state.ts";
import { decodeMessage, encodeMessage, isOfOtherVersion, messageOf } from "./message.ts";

const message = messageOf(commandWith({ id: "tx_1", amountMinor: 1234n }), "request-1");

/** The message's body with something changed, or left out if it is undefined. */
function bodyWith(change: Record<string, unknown>): string {
  const body: Record<string, unknown> = JSON.parse(encodeMessage(message));
  return JSON.stringify({ ...body, ...change });
}

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
      fc.property(commands(), fc.string({ maxLength: 128 }), (command, requestId) => {
        const sent = messageOf(command, requestId);
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([1n, MINOR_UNITS_MAX])("carries the amount %s without loss", (amountMinor) => {
    const sent = messageOf(commandWith({ amountMinor }), "request-1");
    expect(decodeMessage(encodeMessage(sent))?.command.amountMinor).toBe(amountMinor);
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
    ["a __proto__ field", encodeMessage(message).replace("{", '{"__proto__":{},')],
    ["a later version", bodyWith({ version: 2 })],
    ["a version in a string", bodyWith({ version: "1" })],
    ["an unknown type", bodyWith({ type: "loan" })],
    ["the amount 0", bodyWith({ amountMinor: "0" })],
    ["a negative amount", bodyWith({ amountMinor: "-1" })],
    ["an amount with a sign", bodyWith({ amountMinor: "+1" })],
    ["an amount with a leading zero", bodyWith({ amountMinor: "01" })],
    ["an amount with a point", bodyWith({ amountMinor: "1.0" })],
    ["an amount in hexadecimal", bodyWith({ amountMinor: "0x1" })],
    ["an amount of 37 digits", bodyWith({ amountMinor: `1${"0".repeat(36)}` })],
    ["an amount that is a JSON number", bodyWith({ amountMinor: 1234 })],
    ["an amount that is null", bodyWith({ amountMinor: null })],
    ["an empty id", bodyWith({ id: "" })],
    ["a long id", bodyWith({ id: "x".repeat(65) })],
    ["an empty user", bodyWith({ userId: "" })],
    ["a long user", bodyWith({ userId: "x".repeat(129) })],
    ["a user with half a surrogate pair", bodyWith({ userId: "alice\ud800" })],
    ["a request id with half a surrogate pair", bodyWith({ requestId: "\udc00" })],
    ["an empty currency", bodyWith({ currency: "" })],
    ["an empty details hash", bodyWith({ detailsHash: "" })],
    ["a content hash of its own", bodyWith({ contentHash: message.contentHash })],
    ["another actor", bodyWith({ actor: "service" })],
    ["a negative exponent", bodyWith({ exponent: -1 })],
    ["an exponent above 36", bodyWith({ exponent: 37 })],
    ["an exponent in a string", bodyWith({ exponent: "2" })],
    ["a time that is none", bodyWith({ createdAt: "yesterday" })],
    ["a time without milliseconds, which sorts otherwise", bodyWith({ createdAt: "2026-11-23T09:30:00Z" })],
    ["a time of another zone, which sorts otherwise", bodyWith({ createdAt: "2026-11-23T10:30:00.000+01:00" })],
    ["a long request id", bodyWith({ requestId: "x".repeat(129) })],
  ])("is not decoded from %s", (_what, body) => {
    expect(decodeMessage(body)).toBeUndefined();
  });

  it("of version 1 is decoded as it was sent in November 2026", () => {
    const body =
      '{"version":1,"type":"withdrawal","id":"tx_U4mTpvkLEue5WwRVJC9WLs6SPZiRYKfICn0vZaP8jH0","userId":"alice",' +
      '"actor":"admin","createdAt":"2026-11-24T09:30:00.000Z","currency":"USD","exponent":2,"amountMinor":"12345",' +
      '"detailsHash":"kq2bJyn4Rv0cSBqI8Ka0Xw_9k3Zc4EnM1YbW2l0aW5s","requestId":"5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f"}';
    expect(decodeMessage(body)).toEqual({
      command: {
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
      contentHash: "FDUllQG7-cN0ymaiZ8Bw9vxbcaPPbxARSHCS0vxf5Bo",
      requestId: "5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f",
    });
  });

  it.each([
    ["a later version", bodyWith({ version: 2, hold: {} }), true],
    ["an earlier version", bodyWith({ version: 0 }), true],
    ["an unknown type", bodyWith({ type: "loan" }), true],
    ["another type with a missing field", bodyWith({ type: "transfer" }), false],
    ["this version with a wrong field", bodyWith({ amountMinor: "0" }), false],
    ["this version", encodeMessage(message), false],
    ["no version", bodyWith({ version: undefined }), false],
    ["no type", bodyWith({ type: undefined }), false],
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
    const encoded = encodeMessage(messageOf(command, "request-1"));
    const fields: Record<string, unknown> = JSON.parse(encoded);
    const decodedWith = (change: Record<string, unknown>) => decodeMessage(JSON.stringify({ ...fields, ...change }));

    it("is decoded with its content hash", () => {
      expect(decodeMessage(encoded)).toEqual({ command, contentHash: contentHashOf(command), requestId: "request-1" });
    });

    it.each(Object.keys(fields))("is decoded without its %s only if that is optional", (field) => {
      const isOptional = OPTIONAL[command.type]?.includes(field) ?? false;
      expect(decodedWith({ [field]: undefined }) !== undefined).toBe(isOptional);
    });

    it.each(Object.keys(fields))("is not decoded with null, an object or an empty text as its %s", (field) => {
      for (const value of [null, {}, field === "requestId" ? 1 : ""]) {
        expect(decodedWith({ [field]: value })).toBeUndefined();
      }
    });

    it.each([...new Set(Object.values(COMMANDS).flatMap(Object.keys))].filter((field) => !(field in fields)))(
      "is not decoded with the field %s, which another type has",
      (field) => {
        const other = Object.values(COMMANDS).find((candidate) => field in candidate);
        const body: Record<string, unknown> = JSON.parse(encodeMessage(messageOf(other ?? command, "")));
        expect(decodedWith({ [field]: body[field] })).toBeUndefined();
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
    const body = JSON.stringify({ version: 1, ...fields, requestId: "" }, (_, value) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    expect(decodeMessage(body)).toBeUndefined();
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
  ])("with another %s has another content hash", (field, value) => {
    const other = decodeMessage(bodyWith({ [field]: value }));
    expect(other?.contentHash).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(other?.contentHash).not.toBe(message.contentHash);
  });

  it("with another request id has the same content hash, because a repeated request has another", () => {
    expect(decodeMessage(bodyWith({ requestId: "request-2" }))?.contentHash).toBe(message.contentHash);
  });
});
