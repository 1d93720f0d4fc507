import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COMMAND_TYPES } from "../domain/command.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import { decodeMessage, encodeMessage, isOfOtherVersion, type Message } from "./message.ts";

const message: Message = {
  command: { type: "deposit", id: "tx_1", userId: "alice", currency: "USD", amountMinor: 1234n },
  fingerprint: "f".repeat(43),
  acceptedAt: "2026-11-23T09:30:00.000Z",
  requestId: "request-1",
};

/** The message's body with something changed, or left out if it is undefined. */
function bodyWith(change: Record<string, unknown>): string {
  const body: Record<string, unknown> = JSON.parse(encodeMessage(message));
  return JSON.stringify({ ...body, ...change });
}

const text = (maxLength: number) => fc.string({ minLength: 1, maxLength });

describe("a message", () => {
  it("is decoded as it was encoded", () => {
    const messages = fc.record({
      command: fc.record({
        type: fc.constantFrom(...COMMAND_TYPES),
        id: text(64),
        userId: text(128),
        currency: text(16),
        amountMinor: fc.bigInt({ min: 1n, max: MINOR_UNITS_MAX }),
      }),
      fingerprint: text(64),
      acceptedAt: fc
        .date({ noInvalidDate: true, min: new Date("2000-01-01"), max: new Date("2999-01-01") })
        .map((date) => date.toISOString()),
      requestId: fc.string({ maxLength: 128 }),
    });
    fc.assert(
      fc.property(messages, (sent) => {
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }),
      { numRuns: 500 },
    );
  });

  it.each([1n, MINOR_UNITS_MAX])("carries the amount %s without loss", (amountMinor) => {
    const sent = { ...message, command: { ...message.command, amountMinor } };
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
    ["another type", bodyWith({ type: "transfer" })],
    ["the amount 0", bodyWith({ amountMinor: "0" })],
    ["a negative amount", bodyWith({ amountMinor: "-1" })],
    ["an amount with a sign", bodyWith({ amountMinor: "+1" })],
    ["an amount with a leading zero", bodyWith({ amountMinor: "01" })],
    ["an amount with a point", bodyWith({ amountMinor: "1.0" })],
    ["an amount in hexadecimal", bodyWith({ amountMinor: "0x1" })],
    ["an amount of 39 digits", bodyWith({ amountMinor: `1${"0".repeat(38)}` })],
    ["an amount that is a JSON number", bodyWith({ amountMinor: 1234 })],
    ["an amount that is null", bodyWith({ amountMinor: null })],
    ["an empty id", bodyWith({ id: "" })],
    ["a long id", bodyWith({ id: "x".repeat(65) })],
    ["an empty user", bodyWith({ userId: "" })],
    ["a long user", bodyWith({ userId: "x".repeat(129) })],
    ["a user with half a surrogate pair", bodyWith({ userId: "alice\ud800" })],
    ["a request id with half a surrogate pair", bodyWith({ requestId: "\udc00" })],
    ["an empty currency", bodyWith({ currency: "" })],
    ["an empty fingerprint", bodyWith({ fingerprint: "" })],
    ["a time that is none", bodyWith({ acceptedAt: "yesterday" })],
    ["a long request id", bodyWith({ requestId: "x".repeat(129) })],
  ])("is not decoded from %s", (_what, body) => {
    expect(decodeMessage(body)).toBeUndefined();
  });

  it("of version 1 is decoded as it was sent in November 2026", () => {
    const body =
      '{"version":1,"type":"withdrawal","id":"tx_U4mTpvkLEue5WwRVJC9WLs6SPZiRYKfICn0vZaP8jH0","userId":"alice",' +
      '"currency":"USD","amountMinor":"12345","fingerprint":"kq2bJyn4Rv0cSBqI8Ka0Xw_9k3Zc4EnM1YbW2l0aW5s",' +
      '"acceptedAt":"2026-11-24T09:30:00.000Z","requestId":"5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f"}';
    expect(decodeMessage(body)).toEqual({
      command: {
        type: "withdrawal",
        id: "tx_U4mTpvkLEue5WwRVJC9WLs6SPZiRYKfICn0vZaP8jH0",
        userId: "alice",
        currency: "USD",
        amountMinor: 12345n,
      },
      fingerprint: "kq2bJyn4Rv0cSBqI8Ka0Xw_9k3Zc4EnM1YbW2l0aW5s",
      acceptedAt: "2026-11-24T09:30:00.000Z",
      requestId: "5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f",
    });
  });

  it.each([
    ["a later version", bodyWith({ version: 2, hold: {} }), true],
    ["an earlier version", bodyWith({ version: 0 }), true],
    ["another type", bodyWith({ type: "transfer" }), true],
    ["this version with a wrong field", bodyWith({ amountMinor: "0" }), false],
    ["this version", encodeMessage(message), false],
    ["no version", bodyWith({ version: undefined }), false],
    ["no type", bodyWith({ type: undefined }), false],
    ["a version in a string", bodyWith({ version: "2" }), false],
    ["broken JSON", '{"version":2,', false],
  ])("with %s is of another version: %s is %s", (_what, body, expected) => {
    expect(isOfOtherVersion(body)).toBe(expected);
  });

  it.each(Object.keys(JSON.parse(encodeMessage(message))))("is not decoded without its %s", (field) => {
    expect(decodeMessage(bodyWith({ [field]: undefined }))).toBeUndefined();
  });
});
