import { beforeEach, describe, expect, it } from "vitest";
import { decideAt, ledgerReaderOf, timeAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";
import { fold, initialRemainder, walletAfter } from "../domain/decide.ts";
import { contentHashOf, hashOf } from "../domain/hash.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import type { DecidedTransaction, Decision } from "../domain/transaction.ts";
import { createCheckpoint } from "./checkpoint.ts";
import { UnreadableItem } from "./ports.ts";
import { type DiscrepancyCode, type LedgerReader, verify } from "./verify.ts";

let ports: InMemoryPorts;
let reader: LedgerReader;
/** Alice's: posted, posted, rejected, posted, posted. Bob has a sound history of his own. */
let history: DecidedTransaction[];
beforeEach(() => {
  ports = inMemoryPorts();
  reader = ledgerReaderOf(ports);
  const steps = [
    [1000, "+5 USD"],
    [2000, "+9 EUR"],
    [3000, "-9 USD"],
    [4000, "-2 USD"],
    [5000, "+4 USD"],
  ] as const;
  history = decideAt(ports, ...steps);
  decideAt(ports, [1000, "+7 JPY", "bob"], [1000, "+7 JPY", "bob"]);
});

const keyOf = ({ userId, id }: { userId: string; id: string }) => JSON.stringify([userId, id]);
const wallet = () => ports.wallets.get("alice") ?? emptyWallet;

/** Alice's decision with this sequence number. */
function decided(sequence: number): DecidedTransaction {
  const transaction = history[sequence - 1];
  if (!transaction) throw new Error(`No decision ${sequence}`);
  return transaction;
}

const put = (transaction: DecidedTransaction) => void ports.transactions.set(keyOf(transaction), transaction);
const remove = (sequence: number) => void ports.transactions.delete(keyOf(decided(sequence)));
const edit = (sequence: number, change: Partial<DecidedTransaction>) =>
  put(Object.assign({}, decided(sequence), change));
const editWallet = (change: Partial<Wallet>) => void ports.wallets.set("alice", { ...wallet(), ...change });

/** Changes a decision and leaves its hash as it is. */
function editDecision(sequence: number, change: Partial<Decision>) {
  edit(sequence, { decision: { ...decided(sequence).decision, ...change } });
}

/** Changes the last decision, and recomputes its hash and the wallet. */
function rewriteLast(change: Partial<Decision>) {
  const last = decided(5);
  const decision = { ...last.decision, ...change };
  const rewritten = { ...decision, hash: hashOf(last, decision, undefined) };
  put({ ...last, decision: rewritten });
  ports.wallets.set("alice", walletAfter(rewritten));
}

/** Decides the history again with something changed in one command: all hashes and balances, and the wallet, fit. */
function recomputeAll(sequence: number, change: { amountMinor: bigint }) {
  let wallet = emptyWallet;
  for (const transaction of history) {
    const isChanged = transaction.decision.sequence === sequence;
    const command = Object.assign({}, transaction, isChanged && change);
    const { state, decisions } = fold(stateOf(wallet), [command], command.decision.decidedAt);
    const [decision = command.decision] = decisions;
    const remainder = initialRemainder(command, decision);
    put({ ...command, contentHash: contentHashOf(command), decision, remainder });
    wallet = state.wallet;
  }
  ports.wallets.set("alice", wallet);
}

/** The codes for alice; other users have none. */
async function codes(checkpoint?: Parameters<typeof verify>[1]): Promise<DiscrepancyCode[]> {
  const { discrepancies } = await verify(reader, checkpoint);
  expect(discrepancies.filter(({ userId }) => userId !== "alice")).toEqual([]);
  return discrepancies.map(({ code }) => code);
}

describe("a sound ledger", () => {
  it("has no discrepancies, and is counted", async () => {
    ports.transactions.set("pending", transactionOf(commandWith()));
    expect(await verify(reader)).toEqual({
      wallets: 2,
      posted: 6,
      rejected: 1,
      pending: 1,
      totalsMinor: new Map(Object.entries({ USD: 7n, EUR: 9n, JPY: 14n })),
      inTransitMinor: new Map(),
      discrepancies: [],
    });
  });

  it("continues its earlier checkpoint", async () => {
    const { heads } = await createCheckpoint(reader, timeAt(6000));
    decideAt(ports, [7000, "+1 USD"], [7000, "+1 USD", "carol"]);
    expect(await codes(heads)).toEqual([]);
  });

  it("stays sound when details are erased together with their salt", async () => {
    edit(2, { salt: undefined, reference: undefined, metadata: undefined });
    expect(await codes()).toEqual([]);
  });

  it.each([
    ["a decision", [3]],
    ["the last decision", [5]],
    ["every decision", [1, 2, 3, 4, 5]],
  ])("stays sound while the index lags by %s", async (_what, hidden) => {
    for (const sequence of hidden) ports.hiddenIds.add(decided(sequence).id);
    expect(await codes()).toEqual([]);
  });

  it.each(["wallets", "history", "wallet", "consistentHistory", "statuses"] as const)(
    "stays sound while the consumer writes between the reads, here before %s, and the index lags",
    async (method) => {
      ports.hiddenIds.add(decided(2).id);
      const original = reader[method];
      let writes = 0;
      const written = new Proxy(original, {
        apply(target, self, args) {
          // Of alice, and the first of a user who had no wallet.
          decideAt(ports, [6000, "+1 USD"], [6000, "-99 USD"], [6000, "+1 USD", `new-${writes++}`]);
          return Reflect.apply(target, self, args);
        },
      });
      const { discrepancies } = await verify({ ...reader, [method]: written });
      expect([discrepancies, writes > 0]).toEqual([[], true]);
    },
  );
});

describe("verify names", () => {
  it.each<[string, DiscrepancyCode, () => void]>([
    ["a deleted first decision", "GAP", () => remove(1)],
    ["a deleted decision", "GAP", () => remove(3)],
    ["a decision twice", "GAP", () => put({ ...decided(3), id: "tx_double" })],
    [
      "a second decision with one number that the index does not have",
      "GAP",
      () => {
        ports.hiddenIds.add("tx_double");
        put({ ...decided(3), id: "tx_double" });
      },
    ],
    ["another previous hash", "PREVIOUS_MISMATCH", () => editDecision(3, { previousHash: decided(1).decision.hash })],
    ["no previous hash", "PREVIOUS_MISMATCH", () => editDecision(3, { previousHash: undefined })],
    ["a previous hash of the first decision", "PREVIOUS_MISMATCH", () => editDecision(1, { previousHash: "another" })],
    [
      "two decisions in another order",
      "PREVIOUS_MISMATCH",
      () => {
        editDecision(2, { sequence: 3 });
        editDecision(3, { sequence: 2 });
      },
    ],
    [
      "a deleted decision with the later ones renumbered",
      "PREVIOUS_MISMATCH",
      () => {
        remove(3);
        editDecision(4, { sequence: 3 });
        editDecision(5, { sequence: 4 });
        editWallet({ sequence: 4 });
      },
    ],
    ["another amount", "HASH_MISMATCH", () => edit(1, { amountMinor: 6n })],
    ["another amount of a rejected command", "HASH_MISMATCH", () => edit(3, { amountMinor: 10n })],
    ["another type", "HASH_MISMATCH", () => edit(3, { type: "deposit" })],
    ["another currency", "HASH_MISMATCH", () => edit(3, { currency: "EUR" })],
    ["another exponent", "HASH_MISMATCH", () => edit(3, { exponent: 3 })],
    ["another actor", "HASH_MISMATCH", () => edit(1, { actor: "admin" })],
    ["another time of acceptance", "HASH_MISMATCH", () => edit(1, { createdAt: timeAt(1) })],
    ["a reference", "HASH_MISMATCH", () => edit(1, { reference: "invoice 1" })],
    ["a reference without a salt", "HASH_MISMATCH", () => edit(1, { reference: "invoice 1", salt: undefined })],
    ["metadata", "HASH_MISMATCH", () => edit(1, { metadata: { a: "1" } })],
    ["another salt", "HASH_MISMATCH", () => edit(1, { salt: "another" })],
    ["another details hash", "HASH_MISMATCH", () => edit(1, { detailsHash: "another" })],
    ["another content hash", "HASH_MISMATCH", () => edit(1, { contentHash: "another" })],
    [
      "another id",
      "HASH_MISMATCH",
      () => {
        remove(1);
        edit(1, { id: "tx_other" });
      },
    ],
    ["another time of the decision", "HASH_MISMATCH", () => editDecision(2, { decidedAt: timeAt(2001) })],
    ["another hash", "HASH_MISMATCH", () => editDecision(5, { hash: "another" })],
    ["another outcome", "HASH_MISMATCH", () => editDecision(3, { outcome: { status: "posted" } })],
    [
      "another code of a rejection",
      "HASH_MISMATCH",
      () => editDecision(3, { outcome: { status: "rejected", code: "balance_limit" } }),
    ],
    ["other balances after a decision", "HASH_MISMATCH", () => editDecision(2, { available: new Map() })],
    [
      "a rejection that was none, with its hash",
      "WRONG_DECISION",
      () => {
        const { available } = decided(4).decision;
        rewriteLast({ outcome: { status: "rejected", code: "insufficient_funds" }, postings: [], available });
      },
    ],
    ["a time before the previous one, with its hash", "WRONG_DECISION", () => rewriteLast({ decidedAt: timeAt(3999) })],
    ["no postings, with the hash", "WRONG_BALANCE", () => rewriteLast({ postings: [] })],
    ["another balance, with the hash", "WRONG_BALANCE", () => rewriteLast({ available: new Map([["USD", 1000n]]) })],
    ["money held, with the hash", "WRONG_BALANCE", () => rewriteLast({ held: new Map([["USD", 1n]]) })],
    ["more money in the wallet", "WRONG_BALANCE", () => editWallet({ available: new Map([["USD", 8n]]) })],
    ["no money in the wallet", "WRONG_BALANCE", () => editWallet({ available: new Map() })],
    [
      "money of the wallet that is held",
      "WRONG_BALANCE",
      () => editWallet({ available: new Map(Object.entries({ EUR: 9n, USD: 6n })), held: new Map([["USD", 1n]]) }),
    ],
    ["another hash in the wallet", "HEAD_MISMATCH", () => editWallet({ hash: "another" })],
    ["another time in the wallet", "HEAD_MISMATCH", () => editWallet({ decidedAt: timeAt(5001) })],
    [
      "a wallet that was set back",
      "HEAD_MISMATCH",
      () => void ports.wallets.set("alice", walletAfter(decided(4).decision)),
    ],
    [
      "an extra decision after the wallet's last",
      "HEAD_MISMATCH",
      () => put({ ...decided(5), id: "tx_extra", decision: { ...decided(5).decision, sequence: 6 } }),
    ],
    ["a deleted last decision", "TRUNCATED", () => remove(5)],
    ["a wallet ahead of its history", "TRUNCATED", () => editWallet({ sequence: 6 })],
    ["a deleted wallet", "TRUNCATED", () => void ports.wallets.delete("alice")],
    [
      "a deleted history",
      "TRUNCATED",
      () => {
        for (const { decision } of history) remove(decision.sequence);
      },
    ],
  ])("%s: %s", async (_what, code, tamper) => {
    tamper();
    expect(await codes()).toEqual([code]);
  });

  it("a pending transaction with another amount than was accepted", async () => {
    const pending = transactionOf(commandWith());
    ports.transactions.set(keyOf(pending), { ...pending, amountMinor: 101n });
    expect(await codes()).toEqual(["HASH_MISMATCH"]);
  });

  it("the first wrong decision of a user only, and every wrong user", async () => {
    edit(2, { exponent: 3 });
    edit(4, { exponent: 3 });
    editWallet({ hash: "another" });
    ports.wallets.delete("bob");
    const { discrepancies } = await verify(reader);
    expect(discrepancies).toEqual([
      {
        userId: "alice",
        code: "HASH_MISMATCH",
        detail: `has transaction ${decided(2).id} at sequence 2 with content that its hashes do not match`,
      },
      { userId: "bob", code: "TRUNCATED", detail: "has decided transactions but no wallet" },
    ]);
  });

  const item = new UnreadableItem("alice", "transaction tx_1", "it is damaged");
  async function* damaged() {
    yield item;
  }
  const throwItem = () => {
    throw item;
  };
  it.each<[string, Partial<LedgerReader>]>([
    ["wallet", { wallets: damaged }],
    ["decision", { history: throwItem }],
    ["decision that only a consistent read finds", { consistentHistory: throwItem }],
    ["transaction", { statuses: damaged }],
  ])("an unreadable %s: UNREADABLE", async (_what, broken) => {
    // Without it the index has to be checked by a consistent read.
    ports.hiddenIds.add(decided(3).id);
    ports.wallets.delete("bob");
    for (const { userId, id } of ports.transactions.values()) {
      if (userId === "bob") ports.transactions.delete(keyOf({ userId, id }));
    }
    const { discrepancies } = await verify({ ...reader, ...broken });
    expect(discrepancies).toEqual([{ userId: "alice", code: "UNREADABLE", detail: item.message }]);
  });
});

describe("a checkpoint shows", () => {
  it.each<[string, DiscrepancyCode, () => void]>([
    ["a history that was recomputed", "HEAD_MISMATCH", () => recomputeAll(1, { amountMinor: 6n })],
    ["a history of which only the end was recomputed", "HEAD_MISMATCH", () => recomputeAll(5, { amountMinor: 5n })],
    [
      "a history and a wallet that were cut",
      "TRUNCATED",
      () => {
        remove(5);
        ports.wallets.set("alice", walletAfter(decided(4).decision));
      },
    ],
    [
      "a deleted user",
      "TRUNCATED",
      () => {
        for (const { decision } of history) remove(decision.sequence);
        ports.wallets.delete("alice");
      },
    ],
  ])("%s, which the tables alone do not: %s", async (_what, code, tamper) => {
    const { heads } = await createCheckpoint(reader, timeAt(6000));
    tamper();
    expect(await codes()).toEqual([]);
    expect(await codes(heads)).toEqual([code]);

    // Also after further commands.
    decideAt(ports, [7000, "+1 USD"], [7000, "+1 USD"], [7000, "+1 USD", "bob"]);
    const later = code === "TRUNCATED" && ports.wallets.get("alice")?.sequence === 2 ? "TRUNCATED" : "HEAD_MISMATCH";
    expect(await codes(heads)).toEqual([later]);
  });
});
