import { describe, expect, it } from "vitest";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";
import type { Command, CommandType } from "../domain/command.ts";
import { fold } from "../domain/decide.ts";
import { emittedBy } from "../domain/emitted.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import { isDecided, statusOf, type Transaction } from "../domain/transaction.ts";
import { transactionId } from "../ledger/idempotency.ts";
import type { TransferStatus } from "../ledger/transferStatus.ts";
import { promisedSchema, transactionSchema } from "./schemas.ts";
import { promisedView, transactionView } from "./views.ts";

const CREATED_AT = "2026-11-23T09:30:00.000Z";
const DECIDED_AT = "2026-11-23T09:30:01.000Z";
const EXPIRES_AT = "2026-11-30T09:30:00.000Z";
const WALLET: Wallet = { ...emptyWallet, available: new Map([["USD", 1000n]]), held: new Map([["USD", 500n]]) };

const idOf = (name: string) => transactionId("alice", name);

/** A command after its decision, which can refer to earlier transactions. */
function decided(command: Command, earlier: readonly Transaction[] = [], wallet = WALLET): Transaction {
  const { state } = fold(stateOf(wallet, [transactionOf(command), ...earlier]), [command], DECIDED_AT);
  const transaction = state.referred.get(command.id);
  if (!transaction) throw new Error("A command has no transaction");
  return transaction;
}

const holdCommand = commandWith({ type: "hold", id: idOf("hold"), to: "bob", expiresAt: EXPIRES_AT });
const hold = decided(holdCommand);
const captureCommand = commandWith({
  type: "capture",
  id: idOf("capture"),
  amountMinor: undefined,
  refersTo: hold.id,
  final: true,
  to: "bob",
});
const creditCommand = commandWith({
  type: "credit",
  id: idOf("credit"),
  actor: "ledger",
  source: { type: "transfer", userId: "bob", transactionId: transactionId("bob", "transfer") },
});
const credit = decided(creditCommand);

interface Case {
  readonly command: Command;
  readonly earlier?: readonly Transaction[];
  /** The members that differ between types. */
  readonly pending: Readonly<Record<string, unknown>>;
  readonly posted: Readonly<Record<string, unknown>>;
}

const posting = (currency: string, amount: string, held: string, balanceAfter: string, heldAfter: string) => ({
  currency,
  amount,
  held,
  balanceAfter,
  heldAfter,
});
const usd = (amount: string | null) => ({ currency: "USD", amount });
const refersTo = ({ id }: Transaction) => ({ refersTo: id });
const toBob = { to: "bob", creditId: null, status: null };
const credited = { to: "bob", creditId: expect.stringMatching(/^tx_/), status: "credited" };

const CASES: Readonly<Record<CommandType, Case>> = {
  deposit: {
    command: commandWith({ type: "deposit", id: idOf("deposit") }),
    pending: { ...usd("1.00"), reversed: null },
    posted: { ...usd("1.00"), reversed: "0.00", postings: [posting("USD", "1.00", "0.00", "16.00", "5.00")] },
  },
  withdrawal: {
    command: commandWith({ type: "withdrawal", id: idOf("withdrawal") }),
    pending: { ...usd("1.00"), reversed: null },
    posted: { ...usd("1.00"), reversed: "0.00", postings: [posting("USD", "-1.00", "0.00", "14.00", "5.00")] },
  },
  transfer: {
    command: commandWith({ type: "transfer", id: idOf("transfer"), to: "bob" }),
    pending: { ...usd("1.00"), transfer: toBob },
    posted: { ...usd("1.00"), transfer: credited, postings: [posting("USD", "-1.00", "0.00", "14.00", "5.00")] },
  },
  credit: {
    command: creditCommand,
    pending: { ...usd("1.00"), source: { ...creditCommand.source, refersTo: null }, refersTo: null, reversed: null },
    posted: { ...usd("1.00"), reversed: "0.00", postings: [posting("USD", "1.00", "0.00", "16.00", "5.00")] },
  },
  hold: {
    command: holdCommand,
    pending: { ...usd("1.00"), hold: { to: "bob", expiresAt: EXPIRES_AT, remaining: null, status: null } },
    posted: {
      ...usd("1.00"),
      hold: { to: "bob", expiresAt: EXPIRES_AT, remaining: "1.00", status: "open" },
      postings: [posting("USD", "0.00", "1.00", "15.00", "6.00")],
    },
  },
  capture: {
    command: captureCommand,
    earlier: [hold],
    pending: { ...usd(null), ...refersTo(hold), final: true, transfer: toBob, reversed: null },
    posted: {
      ...usd("1.00"),
      transfer: credited,
      reversed: null,
      postings: [posting("USD", "-1.00", "-1.00", "14.00", "4.00")],
    },
  },
  release: {
    command: commandWith({ type: "release", id: idOf("release"), amountMinor: undefined, ...refersTo(hold) }),
    earlier: [hold],
    pending: { ...usd(null), ...refersTo(hold) },
    posted: { ...usd("1.00"), postings: [posting("USD", "0.00", "-1.00", "15.00", "4.00")] },
  },
  expiry: {
    command: commandWith({ type: "expiry", id: idOf("expiry"), amountMinor: undefined, ...refersTo(hold) }),
    earlier: [hold],
    pending: { ...usd(null), ...refersTo(hold) },
    posted: { ...usd("1.00"), postings: [posting("USD", "0.00", "-1.00", "15.00", "4.00")] },
  },
  exchange: {
    command: commandWith({
      type: "exchange",
      id: idOf("exchange"),
      bought: { currency: "JPY", exponent: 0, amountMinor: 150n },
    }),
    pending: { ...usd("1.00"), buy: { currency: "JPY", amount: "150" }, reversed: null },
    posted: {
      ...usd("1.00"),
      buy: { currency: "JPY", amount: "150" },
      reversed: "0.00",
      postings: [posting("USD", "-1.00", "0.00", "14.00", "5.00"), posting("JPY", "150", "0", "150", "0")],
    },
  },
  reversal: {
    command: commandWith({
      type: "reversal",
      id: idOf("reversal"),
      amountMinor: undefined,
      ...refersTo(credit),
      to: "bob",
    }),
    earlier: [credit],
    pending: { ...usd(null), ...refersTo(credit), transfer: toBob },
    posted: { ...usd("1.00"), transfer: credited, postings: [posting("USD", "-1.00", "0.00", "14.00", "5.00")] },
  },
  status_change: {
    command: commandWith({
      type: "status_change",
      id: idOf("status_change"),
      currency: undefined,
      exponent: undefined,
      amountMinor: undefined,
      newStatus: "closed",
    }),
    pending: { currency: null, amount: null, newStatus: "closed" },
    posted: { currency: null, amount: null, newStatus: "closed", postings: [] },
  },
};

/** A closed wallet rejects every command of the cases, except for a change of its status, which needs an empty wallet. */
function rejected({ command, earlier }: Case): Transaction {
  return decided(command, earlier, command.type === "status_change" ? WALLET : { ...WALLET, status: "closed" });
}

function posted({ command, earlier }: Case): Transaction {
  return decided(command, earlier, command.type === "status_change" ? emptyWallet : WALLET);
}

/** The status that the transfer of a transaction has after a while. */
function transferStatusOf(transaction: Transaction): TransferStatus | undefined {
  const isSent = isDecided(transaction) && statusOf(transaction) === "posted";
  return isSent && emittedBy(transaction, transaction.decision) ? "credited" : undefined;
}

const viewOf = (transaction: Transaction) => transactionView(transaction, transferStatusOf(transaction));

describe.each(Object.entries(CASES))("a transaction of the type %s, as its owner sees it,", (type, each) => {
  it("is pending without an outcome", () => {
    const view = viewOf(transactionOf(each.command));
    expect(transactionSchema.parse(view)).toEqual(view);
    expect(view).toMatchObject({
      id: each.command.id,
      userId: "alice",
      type,
      status: "pending",
      sequence: null,
      actor: each.command.actor,
      createdAt: CREATED_AT,
      decidedAt: null,
      postings: [],
      rejection: null,
      reference: null,
      metadata: {},
      previousHash: null,
      hash: null,
      ...each.pending,
    });
  });

  it("is posted with its postings, and what later transactions leave of it", () => {
    const transaction = posted(each);
    const view = viewOf(transaction);
    expect(transactionSchema.parse(view)).toEqual(view);
    const { hash } = transaction.decision ?? {};
    expect(view).toMatchObject({ status: "posted", sequence: 1, decidedAt: DECIDED_AT, rejection: null, hash });
    expect(view).toMatchObject(each.posted);
  });

  it("is rejected with the reason, and with the rest as it was accepted", () => {
    const view = viewOf(rejected(each));
    expect(transactionSchema.parse(view)).toEqual(view);
    const rejection =
      type === "status_change"
        ? { code: "wallet_not_empty", detail: "The wallet has balances or holds" }
        : { code: "wallet_closed", detail: "The wallet is closed" };
    expect(view).toMatchObject({ status: "rejected", sequence: 1, postings: [], rejection, ...each.pending });
  });
});

describe("a transaction that later ones took from, as its owner sees it,", () => {
  const withRemainder = (transaction: Transaction, remainingMinor: bigint) =>
    viewOf({ ...transaction, remainder: { remainingMinor, holdStatus: undefined } });

  it("has what is reversed of it", () => {
    expect(withRemainder(posted(CASES.deposit), 25n)).toMatchObject({ amount: "1.00", reversed: "0.75" });
    expect(withRemainder(posted(CASES.exchange), 0n)).toMatchObject({ amount: "1.00", reversed: "1.00" });
  });

  it("has what is reversed of it when its decision fixed the amount", () => {
    const plainHold = decided({ ...holdCommand, to: undefined });
    const capture = decided({ ...captureCommand, to: undefined }, [plainHold]);
    expect(withRemainder(capture, 30n)).toMatchObject({ amount: "1.00", transfer: null, reversed: "0.70" });
  });

  it("has the status of its hold, and what remains", () => {
    const view = viewOf({ ...hold, remainder: { remainingMinor: 40n, holdStatus: "open" } });
    expect(view).toMatchObject({ amount: "1.00", hold: { remaining: "0.40", status: "open" } });
    const expired = viewOf({ ...hold, remainder: { remainingMinor: 0n, holdStatus: "expired" } });
    expect(expired).toMatchObject({ hold: { remaining: "0.00", status: "expired" } });
  });
});

it("an amount that the decision did not take in full is the one that was requested", () => {
  expect(viewOf(decided({ ...captureCommand, amountMinor: 30n }, [hold]))).toMatchObject({
    amount: "0.30",
    postings: [{ amount: "-0.30", held: "-1.00" }],
  });
});

describe.each(["hold", "capture", "release"] as const)(
  "a %s, as the user to whom the hold is promised sees it,",
  (type) => {
    const each = CASES[type];
    const details = {
      salt: "AAAAAAAAAAAAAAAAAAAAAA",
      reference: "alice's reference",
      metadata: { note: "alice's note" },
    };

    it.each([
      ["pending", transactionOf(each.command)],
      ["posted", posted(each)],
      ["rejected", rejected(each)],
    ])("is %s, without balances, hashes and details", (status, transaction) => {
      const view = promisedView(Object.assign({}, transaction, details), transferStatusOf(transaction));
      expect(promisedSchema.parse(view)).toEqual(view);
      const { id, currency, amount, decidedAt, rejection, ...owner } = viewOf(transaction);
      expect(view).toEqual({
        ...{ id, type, status, createdAt: CREATED_AT, decidedAt, currency, amount, rejection },
        transfer: "transfer" in owner ? owner.transfer : null,
        hold: type === "hold" ? { expiresAt: EXPIRES_AT, ...holdOf(status) } : null,
      });
      expect(JSON.stringify(view)).not.toContain("alice");
    });
  },
);

function holdOf(status: string) {
  return status === "posted" ? { remaining: "1.00", status: "open" } : { remaining: null, status: null };
}

it("no other transaction has a view for the other user of a hold", () => {
  for (const type of ["deposit", "transfer", "credit", "expiry", "reversal", "status_change"] as const) {
    expect(() => promisedView(posted(CASES[type]), undefined)).toThrow(`No user is promised a ${type}`);
  }
});
