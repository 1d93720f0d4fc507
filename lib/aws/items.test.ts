import { unmarshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";
import { decide, initialRemainder } from "../domain/decide.ts";
import { NO_DETAILS_HASH } from "../domain/hash.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import type { Transaction } from "../domain/transaction.ts";
import {
  toDecisionAttributes,
  toInteger,
  toPendingItem,
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

function storedItem(transaction: Transaction) {
  const { decision } = transaction;
  const item = { ...toPendingItem(transaction), ...(decision && toDecisionAttributes(transaction, decision)) };
  return unmarshall(item, { wrapNumbers: toInteger });
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

  it("of a wallet is read as it was written", () => {
    const item = { userId: "alice", ...unmarshall(toWalletAttributes(wallet), { wrapNumbers: toInteger }) };
    expect(toWallet(item)).toEqual({ userId: "alice", wallet });
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
