import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../testkit/commands.ts";
import { commandWith, transactionOf } from "../../testkit/storeContract.ts";
import type { Command } from "../domain/command.ts";
import { derivedId } from "../domain/id.ts";
import { isReplayOf, transactionId } from "./idempotency.ts";

describe("transactionId", () => {
  it("is the same for the same user and key", () => {
    expect(transactionId("alice", "order-1001")).toBe(transactionId("alice", "order-1001"));
    // Written down: a change of the derivation would let every key in use move money once more.
    expect(transactionId("alice", "order-1001")).toBe("tx_9vxQVTgbFMjvnDFLCA1Be8ZJt1R_Z-dxtu8M8MNtyMc");
  });

  it("has the format that the API documents", () => {
    expect(transactionId("alice", "k")).toMatch(/^tx_[A-Za-z0-9_-]{43}$/);
  });

  it.each([
    ["a", "bc", "ab", "c"],
    ["a|b", "c", "a", "b|c"],
    ['a","b', "c", "a", 'b","c'],
    ["alice", "k", "bob", "k"],
    ["alice", "k", "alice", "K"],
    ["alice", "k", "alice", "k "],
  ])("differs for %j with %j and %j with %j", (user, key, otherUser, otherKey) => {
    expect(transactionId(user, key)).not.toBe(transactionId(otherUser, otherKey));
  });

  it("differs for any two different pairs", () => {
    const texts = fc.string({ unit: fc.constantFrom("a", "b", '"', ",", "\\", "[", "]"), maxLength: 5 });
    fc.assert(
      fc.property(texts, texts, texts, texts, (user, key, otherUser, otherKey) => {
        fc.pre(user !== otherUser || key !== otherKey);
        expect(transactionId(user, key)).not.toBe(transactionId(otherUser, otherKey));
      }),
    );
  });
});

describe("the transactionId of a counterparty's command", () => {
  it("is that of no command of the owner, of another caller or of another key", () => {
    const own = transactionId("alice", "key", "bob");
    const others = [
      transactionId("alice", "key"),
      transactionId("alice", "bob"),
      transactionId("bob", "key"),
      transactionId("alice", "key", "carol"),
      transactionId("alice", "other", "bob"),
      transactionId("bob", "key", "alice"),
    ];
    expect(others).not.toContain(own);
  });
});

describe("the id of a derived command", () => {
  it("is that of no client's key, and another for each type, user and transaction", () => {
    const ids = new Set([
      ...(["credit", "return", "expiry"] as const).map((type) => derivedId(type, "alice", "tx_1")),
      derivedId("credit", "bob", "tx_1"),
      derivedId("credit", "alice", "tx_2"),
      transactionId("credit", "alice", "tx_1"),
      transactionId("alice", "tx_1", "credit"),
      transactionId("alice", "tx_1"),
    ]);
    expect(ids.size).toBe(8);
  });
});

describe("isReplayOf", () => {
  const content = {
    ...transactionOf(commandWith()),
    reference: "invoice 1",
    metadata: { a: "1", b: "2" },
  };

  it("is true for the same content, in whatever order the metadata are", () => {
    expect(isReplayOf(content, { ...content, metadata: { b: "2", a: "1" } })).toBe(true);
  });

  it("is true for absent and empty metadata", () => {
    expect(isReplayOf({ ...content, metadata: undefined }, { ...content, metadata: {} })).toBe(true);
  });

  it.each([
    ["type", { type: "withdrawal" }],
    ["currency", { currency: "EUR" }],
    ["amount", { amountMinor: 101n }],
    ["reference", { reference: "invoice 2" }],
    ["missing reference", { reference: undefined }],
    ["metadata value", { metadata: { a: "1", b: "3" } }],
    ["metadata key", { metadata: { a: "1", c: "2" } }],
    ["swapped metadata values", { metadata: { a: "2", b: "1" } }],
    ["fewer metadata", { metadata: { a: "1" } }],
    ["missing metadata", { metadata: undefined }],
  ] as const)("is false for another %s", (_field, change) => {
    expect(isReplayOf(content, { ...content, ...change })).toBe(false);
  });

  const { hold, capture, exchange, reversal, release, status_change, transfer } = COMMANDS;
  it.each<[string, Command, object]>([
    ["receiver of a transfer", transfer, { to: "carol" }],
    ["receiver of a hold", hold, { to: undefined }],
    ["time of expiry", hold, { expiresAt: "2026-12-01T09:30:00.000Z" }],
    ["hold to capture", capture, { refersTo: "tx_other" }],
    ["end of the hold", capture, { final: true }],
    ["amount, which is all that remains", capture, { amountMinor: undefined }],
    ["hold to release", release, { refersTo: "tx_other" }],
    ["bought amount", exchange, { bought: { currency: "JPY", exponent: 0, amountMinor: 151n } }],
    ["bought currency", exchange, { bought: { currency: "XOF", exponent: 0, amountMinor: 150n } }],
    ["original", reversal, { refersTo: "tx_other" }],
    ["status", status_change, { newStatus: "closed" }],
  ])("is false for another %s, and true for the same", (_field, command, change) => {
    const stored = transactionOf(command);
    expect(isReplayOf(stored, { ...stored, id: "tx_later" })).toBe(true);
    expect(isReplayOf(stored, { ...stored, ...change })).toBe(false);
  });

  it('is false for an absent reference and the reference "null"', () => {
    expect(isReplayOf({ ...content, reference: undefined }, { ...content, reference: "null" })).toBe(false);
  });

  it("is true whatever differs only from request to request: salt, time, actor", () => {
    const stored = { ...content, salt: "a", createdAt: "2026-11-23T09:30:00.000Z", actor: "owner" as const };
    const candidate = { ...content, salt: "b", createdAt: "2026-11-24T09:30:00.000Z", actor: "admin" as const };
    expect(isReplayOf(stored, candidate)).toBe(true);
  });
});
