import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import { COMMANDS, decided } from "../../testkit/commands.ts";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";
import type { Command } from "../domain/command.ts";
import { decide, initialRemainder } from "../domain/decide.ts";
import { NO_DETAILS_HASH } from "../domain/hash.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import { emptyWallet, WALLET_STATUSES, type Wallet } from "../domain/state.ts";
import { pendingTransaction, type Remainder, type Transaction } from "../domain/transaction.ts";
import { positionText } from "../ledger/position.ts";
import {
  dueAttributes,
  toDecisionAttributes,
  toInteger,
  toPendingItem,
  toRemainderAttributes,
  toStatus,
  toTransaction,
  toWallet,
  toWalletAttributes,
} from "./items.ts";

const NOW = "2026-11-23T09:30:00.250Z";
const deposit = { ...transactionOf(commandWith({ id: "tx_1" })), reference: "invoice 1" };
const withoutDetails = {
  ...transactionOf(commandWith({ id: "tx_1", detailsHash: NO_DETAILS_HASH })),
  salt: undefined,
};
/** With money held, after a decision. */
const wallet = {
  ...emptyWallet,
  sequence: 7,
  available: new Map([["USD", 5n]]),
  held: new Map([["EUR", 3n]]),
  decidedAt: NOW,
  hash: "previous",
};

/** A transaction once it is decided, the first of a wallet if none is given. */
function decidedOf(transaction: Transaction, before: Wallet = emptyWallet): Transaction {
  const decision = decide(stateOf(before), transaction, NOW);
  return { ...transaction, decision, remainder: initialRemainder(transaction, decision) };
}

function attributesOf(transaction: Transaction) {
  const { decision } = transaction;
  return { ...toPendingItem(transaction), ...(decision && toDecisionAttributes(transaction, decision)) };
}

function storedItem(transaction: Transaction) {
  return unmarshall(attributesOf(transaction), { wrapNumbers: toInteger });
}

/** A balance of 36 digits, and ids and users of the usual lengths. */
const LARGE = MINOR_UNITS_MAX / 3n;
const id = (digit: number) => `tx_${String(digit).repeat(43)}`;
const USER = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";

/** Three currencies, some of each held, after many decisions. */
const THREE = {
  ...emptyWallet,
  sequence: 123_456,
  available: new Map(Object.entries({ EUR: LARGE, JPY: LARGE, USD: LARGE })),
  held: new Map(Object.entries({ EUR: LARGE, JPY: LARGE, USD: LARGE })),
  decidedAt: NOW,
  hash: "x".repeat(43),
};

/** A command of each type with every field and long ids, and the earlier transactions that let it be posted. */
const DECISIONS = Object.values(COMMANDS).map((each) => {
  const command = withLongIds(each);
  const funds = commandWith({ id: id(1), userId: USER });
  const isReversal = each.type === "reversal" || each.type === "credit";
  const referred = { ...withLongIds(isReversal ? COMMANDS.exchange : COMMANDS.hold), id: id(2) };
  const earlier = decided([funds, referred]).transactions;
  return { command, earlier };
});

function withLongIds(command: Command): Command {
  return Object.assign({}, command, {
    id: id(0),
    userId: USER,
    detailsHash: NO_DETAILS_HASH,
    ...("to" in command && { to: USER }),
    ...("refersTo" in command && { refersTo: id(2) }),
    ...("source" in command && { source: { type: "return", userId: USER, transactionId: id(3), refersTo: id(4) } }),
  });
}

/** As DynamoDB counts it: a map's or list's overhead, a number's two digits a byte, everything else as UTF-8. */
function sizeOf(item: Readonly<Record<string, AttributeValue>>): number {
  const sizes = Object.entries(item).map(([name, value]) => Buffer.byteLength(name) + sizeOfValue(value));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function sizeOfValue({ S, N, M, L }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S);
  if (N !== undefined) return Math.ceil(N.length / 2) + 1;
  if (M) return 3 + Object.keys(M).length + sizeOf(M);
  if (L) return 3 + L.reduce((sum, value) => sum + 1 + sizeOfValue(value), 0);
  return 1;
}

describe("an item", () => {
  it.each<[string, Transaction]>([
    ["a pending transaction", deposit],
    ["a transaction without details", withoutDetails],
    ["a transaction with metadata", { ...deposit, metadata: { a: "1", "a.b": "" } }],
    ["a user's first decision", decidedOf(deposit)],
    ["a later decision, with money held", decidedOf(deposit, wallet)],
    ["a rejection", decidedOf({ ...deposit, type: "withdrawal" }, wallet)],
  ])("of %s is read as it was written", (_what, transaction) => {
    expect(toTransaction(storedItem(transaction))).toEqual(transaction);
  });

  it.each(WALLET_STATUSES)("of a wallet that is %s is read as it was written", (status) => {
    const stored = unmarshall(toWalletAttributes({ ...wallet, status }), { wrapNumbers: toInteger });
    expect(toWallet({ userId: "alice", ...stored })).toEqual({ userId: "alice", wallet: { ...wallet, status } });
  });

  describe.each(DECISIONS)("of a $command.type", ({ command, earlier }) => {
    const pending = pendingTransaction(command);
    const [posted = pending] = decided([command], THREE, earlier).transactions.slice(-1);
    const [rejected = pending] = decided([command], { ...THREE, status: "closed" }, earlier).transactions.slice(-1);

    it("that is pending is read as it was written", () => {
      expect(toTransaction(storedItem(pending))).toEqual(pending);
    });

    it("that is posted is read as it was written, with what it leaves", () => {
      expect(posted.decision?.outcome.status).toBe("posted");
      expect(toTransaction(storedItem(posted))).toEqual(posted);
    });

    it("that is rejected is read as it was written", () => {
      const isRejected = command.type !== "status_change" && command.type !== "credit";
      expect(rejected.decision?.outcome.status).toBe(isRejected ? "rejected" : "posted");
      expect(toTransaction(storedItem(rejected))).toEqual(rejected);
    });

    it("of a wallet with three currencies is smaller than 1 KB, with every index", () => {
      const remainder = posted.remainder && toRemainderAttributes({ remainingMinor: LARGE, holdStatus: "captured" });
      const listed = { openHold: { S: positionText({ decidedAt: NOW, sequence: 1 }) }, ...dueAttributes(id(9), NOW) };
      for (const transaction of [pending, posted, rejected]) {
        expect(sizeOf({ ...attributesOf(transaction), ...remainder, ...listed })).toBeLessThan(1024);
      }
    });
  });

  it.each<[string, Remainder]>([
    ["open and partly captured", { remainingMinor: 40n, holdStatus: "open" }],
    ["captured", { remainingMinor: 0n, holdStatus: "captured" }],
    ["released", { remainingMinor: 0n, holdStatus: "released" }],
    ["expired", { remainingMinor: 0n, holdStatus: "expired" }],
  ])("of a hold that is %s is read as later transactions left it", (_what, remainder) => {
    const held = decided([COMMANDS.deposit, COMMANDS.hold]).transactions.at(-1) ?? deposit;
    const item = { ...storedItem(held), ...unmarshall(toRemainderAttributes(remainder), { wrapNumbers: toInteger }) };
    expect(toTransaction(item)).toEqual({ ...held, remainder });
  });

  it("of an original is read with what reversals left, down to nothing", () => {
    const original = decidedOf(deposit);
    for (const remainingMinor of [1n, 0n]) {
      const item = { ...storedItem(original), remainingMinor };
      expect(toTransaction(item)).toEqual({ ...original, remainder: { remainingMinor, holdStatus: undefined } });
    }
  });

  it("of what later transactions can't take from has no remainder, whatever it says", () => {
    const [, transfer = deposit] = decided([COMMANDS.deposit, COMMANDS.transfer]).transactions;
    expect(toTransaction({ ...storedItem(transfer), remainingMinor: 5n }).remainder).toBeUndefined();
  });

  it("leaves out what follows from the rest", () => {
    const optional = ["salt", "reference", "metadata", "detailsHash", "held", "previousHash", "rejectionCode"];
    const item = storedItem(decidedOf(withoutDetails));
    for (const absent of [...optional, "sequence", "decidedAt", "postings"]) expect(item).not.toHaveProperty(absent);
  });

  it.each([
    [toWallet, { available: {} }, "wallet: sequence: Invalid input: expected bigint, received undefined"],
    [
      toWallet,
      { sequence: 1n, available: { USD: "1.5" } },
      "wallet: available.USD: Invalid input: expected bigint, received string",
    ],
    [
      toStatus,
      { id: "tx_1", status: "lost" },
      'transaction tx_1: status: Invalid option: expected one of "pending"|"posted"|"rejected"',
    ],
    [toTransaction, { id: "tx_1" }, "transaction tx_1: type: Invalid discriminator value. Expected 'deposit' | "],
  ])("that %o can't read is reported by its first invalid field", (read, fields, message) => {
    expect(() => read({ userId: "alice", ...fields })).toThrow(`has an unreadable item, ${message}`);
  });

  const posted = storedItem(decidedOf(deposit));
  const lacks = "it is posted and lacks what the decision wrote";
  it.each<[string, Record<string, unknown>, string]>([
    ["without a hash", { hash: undefined }, lacks],
    ["without balances", { available: undefined }, lacks],
    ["that is posted with a rejection", { rejectionCode: "balance_limit" }, lacks],
    ["that is rejected without a code", { status: "rejected" }, "it is rejected and lacks what the decision wrote"],
    ["without a position", { position: undefined }, lacks],
    ["with a position that sorts otherwise", { position: `${NOW}#1` }, lacks],
    ["with a position without a sequence", { position: NOW }, lacks],
  ])("of a decision %s is unreadable", (_what, change, problem) => {
    expect(() => toTransaction({ ...posted, ...change })).toThrow(
      `has an unreadable item, transaction tx_1: ${problem}`,
    );
  });
});
