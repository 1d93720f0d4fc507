import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandWith, transactionOf } from "../../testkit/storeContract.ts";
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

  it('is false for an absent reference and the reference "null"', () => {
    expect(isReplayOf({ ...content, reference: undefined }, { ...content, reference: "null" })).toBe(false);
  });

  it("is true whatever differs only from request to request: salt, time, actor", () => {
    const stored = { ...content, salt: "a", createdAt: "2026-11-23T09:30:00.000Z", actor: "owner" as const };
    const candidate = { ...content, salt: "b", createdAt: "2026-11-24T09:30:00.000Z", actor: "admin" as const };
    expect(isReplayOf(stored, candidate)).toBe(true);
  });
});
