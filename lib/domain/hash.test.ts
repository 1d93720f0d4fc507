import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { COMMANDS, decided } from "../../testkit/commands.ts";
import { commandWith, stateOf } from "../../testkit/storeContract.ts";
import type { Command, CommandOf } from "./command.ts";
import { decide } from "./decide.ts";
import { contentHashOf, detailsHashOf, hashOf, NO_DETAILS_HASH } from "./hash.ts";
import { emptyWallet } from "./state.ts";
import type { Decision, Details, Posting } from "./transaction.ts";

const HASH = /^[A-Za-z0-9_-]{43}$/;
const command = commandWith({ id: "tx_1" });

const COMMAND_CHANGES = [
  { id: "tx_2" },
  { userId: "bob" },
  { type: "withdrawal" },
  { actor: "admin" },
  { createdAt: "2026-11-23T09:30:00.001Z" },
  { currency: "EUR" },
  { exponent: 3 },
  { amountMinor: 101n },
  { detailsHash: "another" },
] as const satisfies readonly Partial<CommandOf<"deposit"> | CommandOf<"withdrawal">>[];

describe("the content hash", () => {
  it.each(COMMAND_CHANGES)("is another with %o", (change) => {
    expect(contentHashOf(command)).toMatch(HASH);
    expect(contentHashOf({ ...command, ...change })).not.toBe(contentHashOf(command));
  });

  it("covers every field of a command", () => {
    expect(COMMAND_CHANGES.flatMap(Object.keys).sort()).toEqual(Object.keys(command).sort());
  });

  it("differs where the texts of two fields differ only in where one ends", () => {
    const split = { ...command, id: 'tx_1","x', userId: "alice" };
    expect(contentHashOf(split)).not.toBe(contentHashOf({ ...command, id: "tx_1", userId: 'x","alice' }));
  });
});

/** A value with one of its parts changed, for each part. */
function variantsOf(value: unknown): unknown[] {
  if (typeof value === "string") return [`${value}x`];
  if (typeof value === "number") return [value + 1];
  if (typeof value === "bigint") return [value + 1n];
  if (typeof value === "boolean") return [!value];
  return Object.entries(value ?? {}).flatMap(([name, part]) =>
    variantsOf(part).map((changed) => ({ ...Object(value), [name]: changed })),
  );
}

describe("both hashes", () => {
  const { credit, hold, capture, reversal, release } = COMMANDS;
  const ownFields = Object.values(COMMANDS).flatMap((command) =>
    Object.keys(command)
      .filter((name) => !(name in COMMANDS.deposit))
      .map((name) => ({ type: command.type, name, command })),
  );
  /** Of the command and of a decision on it that is always the same. */
  const hashesOf = (command: Command) => [
    contentHashOf(command),
    hashOf(command, decide(stateOf(), release, "2026-11-23T09:30:00.250Z"), "tx_emitted"),
  ];

  function expectToDiffer(one: Command, other: Command) {
    const [content, hash] = hashesOf(one);
    const [otherContent, otherHash] = hashesOf(other);
    expect(otherContent).not.toBe(content);
    expect(otherHash).not.toBe(hash);
  }

  it.each(ownFields)("of a $type are others with another $name", ({ name, command }) => {
    const variants = variantsOf(Object.entries(command).find(([field]) => field === name)?.[1]);
    expect(variants).not.toEqual([]);
    for (const changed of variants) expectToDiffer(command, { ...command, [name]: changed });
  });

  it.each<[string, Command, Command]>([
    ["a hold", hold, { ...hold, to: undefined }],
    ["a capture", capture, { ...capture, to: undefined }],
    ["a capture of all that remains", capture, { ...capture, amountMinor: undefined }],
    ["a reversal", reversal, { ...reversal, to: undefined }],
    ["a reversal of all that remains", reversal, { ...reversal, amountMinor: undefined }],
    ["a credit", credit, { ...credit, refersTo: undefined }],
    ["a credit's source", credit, { ...credit, source: { ...credit.source, refersTo: undefined } }],
  ])("of %s are others without an optional field", (_what, command, without) => {
    expectToDiffer(command, without);
  });

  it("of two types with the same fields are others", () => {
    expectToDiffer(release, { ...release, type: "expiry" });
  });

  it("of a field that is absent and one that is undefined are the same", () => {
    const { to: _, ...rest } = hold;
    expect(hashesOf(rest)).toEqual(hashesOf({ ...hold, to: undefined }));
  });
});

describe("the hash of a decision", () => {
  const held = new Map([["EUR", 5n]]);
  const previous = { ...emptyWallet, available: new Map([["EUR", 7n]]), held, sequence: 7, hash: "previous" };
  const decision = decide(stateOf(previous), command, "2026-11-23T09:30:00.250Z");
  const posting = (change: Partial<Posting>): Partial<Decision> => ({
    postings: decision.postings.map((each) => ({ ...each, ...change })),
  });

  it("is a SHA-256 in base64url", () => {
    expect(decision.hash).toMatch(HASH);
  });

  it.each(COMMAND_CHANGES)("is another for a command with %o", (change) => {
    expect(hashOf({ ...command, ...change }, decision, undefined)).not.toBe(decision.hash);
  });

  it.each<[string, Partial<Decision>]>([
    ["sequence", { sequence: 9 }],
    ["time", { decidedAt: "2026-11-23T09:30:00.251Z" }],
    ["outcome", { outcome: { status: "rejected", code: "balance_limit" } }],
    ["previous hash", { previousHash: "another" }],
    ["previous hash, which is absent", { previousHash: undefined }],
    ["available balance", { available: new Map([...decision.available, ["USD", 101n]]) }],
    [
      "available balance of a currency that did not change",
      { available: new Map([...decision.available, ["EUR", 8n]]) },
    ],
    ["currency with a balance", { available: new Map([...decision.available, ["JPY", 1n]]) }],
    ["held balance", { held: new Map([["EUR", 6n]]) }],
    ["split of a balance", { available: new Map([...decision.available, ["EUR", 6n]]), held: new Map([["EUR", 6n]]) }],
    ["posting's currency", posting({ currency: "EUR" })],
    ["posting's exponent", posting({ exponent: 3 })],
    ["posting's amount", posting({ amountMinor: -100n })],
    ["posting's held amount", posting({ heldMinor: 1n })],
    ["posting's balance after", posting({ balanceAfterMinor: 101n })],
    ["posting's held balance after", posting({ heldAfterMinor: 1n })],
    ["number of postings", { postings: [] }],
    ["status of the wallet", { walletStatus: "frozen" }],
  ])("is another with another %s", (_what, change) => {
    expect(hashOf(command, { ...decision, ...change }, undefined)).not.toBe(decision.hash);
  });

  it("is another with another emitted credit, and without one", () => {
    const hashes = ["tx_2", "tx_3", undefined].map((emits) => hashOf(command, decision, emits));
    expect(new Set(hashes).size).toBe(3);
  });

  it("of a transfer contains the id of its credit", () => {
    const { transfer } = COMMANDS;
    const { decisions, emitted } = decided([commandWith(), transfer]);
    const [, posted] = decisions;
    expect(posted && hashOf(transfer, posted, emitted[0]?.id)).toBe(posted?.hash);
    expect(posted && hashOf(transfer, posted, undefined)).not.toBe(posted?.hash);
  });

  it("is another with another code of the rejection", () => {
    const hashes = (["insufficient_funds", "currency_limit", "balance_limit"] as const).map((code) =>
      hashOf(command, { ...decision, outcome: { status: "rejected", code } }, undefined),
    );
    expect(new Set(hashes).size).toBe(3);
  });

  it("is the same in whatever order the balances are stored", () => {
    const available = new Map([...decision.available].reverse());
    expect(hashOf(command, { ...decision, available }, undefined)).toBe(decision.hash);
  });
});

describe("the details hash", () => {
  const details: Details = { salt: "AAAAAAAAAAAAAAAAAAAAAA", reference: "invoice 1", metadata: { a: "1", b: "2" } };

  it.each<[string, Partial<Details>]>([
    ["salt", { salt: "AAAAAAAAAAAAAAAAAAAAAB" }],
    ["reference", { reference: "invoice 2" }],
    ["absent reference", { reference: undefined }],
    ["value", { metadata: { a: "1", b: "3" } }],
    ["key", { metadata: { a: "1", c: "2" } }],
    ["absent metadata", { metadata: undefined }],
  ])("is another with another %s", (_what, change) => {
    expect(detailsHashOf({ ...details, ...change })).not.toBe(detailsHashOf(details));
  });

  it("is the same in whatever order the metadata are", () => {
    expect(detailsHashOf({ ...details, metadata: { b: "2", a: "1" } })).toBe(detailsHashOf(details));
  });

  it("of no details, which have no salt, is a constant", () => {
    const text = '{"metadata":{},"reference":null}';
    expect(NO_DETAILS_HASH).toBe(createHash("sha256").update(text).digest("base64url"));
  });
});
