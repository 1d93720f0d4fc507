import { beforeEach, describe, expect, it } from "vitest";
import { decideAt, ledgerReaderOf, timeAt } from "../../testkit/histories.ts";
import { consumeSent, type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { holdOf, moveAll, movementsInMemory, usd } from "../../testkit/movements.ts";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";
import type { Command } from "../domain/command.ts";
import { decide, evolve, fold, initialRemainder, walletAfter } from "../domain/decide.ts";
import { contentHashOf, hashOf } from "../domain/hash.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import { type DecidedTransaction, type Decision, isDecided, type Remainder } from "../domain/transaction.ts";
import { createCheckpoint } from "./checkpoint.ts";
import { type TransactionKey, UnreadableItem } from "./ports.ts";
import type { Request } from "./submit.ts";
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

describe("in a ledger with every movement, verify", () => {
  type Moved = Awaited<ReturnType<typeof moveAll>>;
  let moved: Moved;
  beforeEach(async () => {
    ports = inMemoryPorts();
    reader = ledgerReaderOf(ports);
    moved = await moveAll(movementsInMemory(ports));
  });

  const found = async () => (await verify(reader)).discrepancies.map(({ userId, code }) => [userId, code]);

  function stored({ userId, id }: TransactionKey): DecidedTransaction {
    const transaction = ports.transactions.get(keyOf({ userId, id }));
    if (!transaction || !isDecided(transaction)) throw new Error(`Transaction ${id} is not decided`);
    return transaction;
  }
  const leave = (key: TransactionKey, remainder: Partial<Remainder>) => {
    const transaction = stored(key);
    const before = transaction.remainder ?? { remainingMinor: 0n, holdStatus: undefined };
    put({ ...transaction, remainder: { ...before, ...remainder } });
  };

  it("has no finding", async () => {
    expect(await found()).toEqual([]);
  });

  it.each<[string, keyof Moved, Partial<Remainder>]>([
    ["an open hold with more than its captures left", "open", { remainingMinor: 400n }],
    ["an open hold with less than its captures left", "open", { remainingMinor: 299n }],
    ["an open hold as captured", "open", { holdStatus: "captured" }],
    ["an open hold as expired, with nothing left", "open", { remainingMinor: 0n, holdStatus: "expired" }],
    ["a captured hold as open", "promised", { holdStatus: "open" }],
    ["a captured hold as open, with its whole amount", "promised", { remainingMinor: 2000n, holdStatus: "open" }],
    ["a captured hold as released", "promised", { holdStatus: "released" }],
    ["a released hold as captured", "released", { holdStatus: "captured" }],
    ["an original that was partly reversed, with its whole amount", "deposit", { remainingMinor: 10_000n }],
    ["an original with less than its reversals left", "deposit", { remainingMinor: 8999n }],
    ["a refunded credit with its whole amount", "credit", { remainingMinor: 1000n }],
    ["a credit whose refund was returned, with nothing left", "refunded", { remainingMinor: 0n }],
    ["a credit that no one refunded, with less", "untouched", { remainingMinor: 1n }],
    ["a transfer with something to reverse", "transfer", { remainingMinor: 1000n }],
  ])("names %s: WRONG_REMAINDER", async (_what, name, remainder) => {
    const key = moved[name];
    leave(key, remainder);
    expect(await found()).toEqual([[key.userId, "WRONG_REMAINDER"]]);
  });

  it("names an original without a remainder: WRONG_REMAINDER", async () => {
    put({ ...stored(moved.refunded), remainder: undefined });
    expect(await found()).toEqual([["alice", "WRONG_REMAINDER"]]);
  });

  it("names the transaction whose remainder is wrong", async () => {
    leave(moved.open, { remainingMinor: 0n });
    expect((await verify(reader)).discrepancies).toEqual([
      {
        userId: "alice",
        code: "WRONG_REMAINDER",
        detail: `has transaction ${moved.open.id} with another remainder than later transactions left`,
      },
    ]);
  });

  it.each<[string, DiscrepancyCode, string, Partial<Wallet>]>([
    ["a frozen wallet as active", "WRONG_DECISION", "bob", { status: "active" }],
    ["a closed wallet as active", "WRONG_DECISION", "dave", { status: "active" }],
    ["an active wallet as closed", "WRONG_DECISION", "shop", { status: "closed" }],
    ["a wallet that holds less", "WRONG_BALANCE", "alice", { held: new Map() }],
    ["a wallet with money that is held and was available", "WRONG_BALANCE", "bob", { held: new Map([["USD", 1n]]) }],
  ])("names %s: %s", async (_what, code, userId, change) => {
    const before = ports.wallets.get(userId) ?? emptyWallet;
    ports.wallets.set(userId, { ...before, ...change });
    expect(await found()).toEqual([[userId, code]]);
  });

  /** Decides a command on another state than the ledger's, and writes it with its hashes. */
  function forge(command: Command, referred?: DecidedTransaction) {
    const { userId } = command;
    const wallet: Wallet = { ...(ports.wallets.get(userId) ?? emptyWallet), status: "active" };
    const state = stateOf(wallet, referred && [referred]);
    const decision = decide(state, command, timeAt(86_400_000));
    expect(decision.outcome).toEqual({ status: "posted" });
    put({ ...transactionOf(command), decision, remainder: initialRemainder(command, decision) });
    for (const { remainder } of evolve(state, command, decision).referred.values()) {
      if (referred && remainder) leave(referred, remainder);
    }
    ports.wallets.set(userId, walletAfter(decision));
  }
  const reopened = (hold: TransactionKey, remainingMinor = 200n): DecidedTransaction => ({
    ...stored(hold),
    remainder: { remainingMinor, holdStatus: "open" },
  });

  it.each<[string, () => void]>([
    [
      "a second capture of a hold",
      () => {
        const { id: refersTo } = moved.promised;
        forge(commandWith({ type: "capture", refersTo, final: true }), reopened(moved.promised));
      },
    ],
    [
      "a capture of a released hold",
      () => {
        const { id: refersTo } = moved.released;
        forge(commandWith({ type: "capture", refersTo, final: true }), reopened(moved.released));
      },
    ],
    [
      "a second release",
      () => {
        const { id: refersTo } = moved.released;
        const command = commandWith({ type: "release", refersTo, amountMinor: undefined });
        forge(command, reopened(moved.released));
      },
    ],
    [
      "a capture of more than is left",
      () => {
        const command = commandWith({ type: "capture", refersTo: moved.open.id, amountMinor: 301n, final: false });
        const other = { ...(ports.wallets.get("alice") ?? emptyWallet), held: new Map([["USD", 400n]]) };
        ports.wallets.set("alice", other);
        forge(command, reopened(moved.open, 400n));
      },
    ],
    [
      "a capture after the hold's time",
      () => {
        const createdAt = moved.open.expiresAt;
        const command = commandWith({ type: "capture", refersTo: moved.open.id, createdAt, final: true });
        const hold = Object.assign({}, reopened(moved.open, 300n), { expiresAt: timeAt(86_400_000 * 99) });
        forge(command, hold);
      },
    ],
    [
      "reversals of more than the original",
      () => {
        const original = { ...stored(moved.credit), remainder: { remainingMinor: 1000n, holdStatus: undefined } };
        const refersTo = original.id;
        const command = commandWith({ type: "reversal", userId: "bob", refersTo, amountMinor: 701n, actor: "admin" });
        forge(command, original);
      },
    ],
    ["a withdrawal from a frozen wallet", () => forge(commandWith({ type: "withdrawal", userId: "bob" }))],
    ["a deposit into a closed wallet", () => forge(commandWith({ userId: "dave" }))],
  ])("names %s, with its hashes: WRONG_DECISION", async (_what, tamper) => {
    tamper();
    expect((await found()).map(([, code]) => code)).toEqual(["WRONG_DECISION"]);
  });

  it.each(["wallets", "history", "wallet", "consistentHistory", "statuses", "transactions"] as const)(
    "has no finding while movements are decided between the reads, here after %s, and the index lags",
    async (method) => {
      const { accept } = movementsInMemory(ports);
      const [hold, credit] = [holdOf(stored(moved.open)), stored(moved.refunded)];
      const requests: Request[] = [
        { type: "capture", referred: hold, amount: "0.01", final: false },
        { type: "transfer", ...usd("0.01"), to: "bob" },
        { type: "reversal", referred: credit, amount: "0.01" },
        { type: "hold", ...usd("0.01"), to: "shop" },
        { type: "exchange", sell: usd("0.01"), buy: { currency: "EUR", amount: "0.01" } },
        { type: "reversal", referred: moved.deposit, amount: "0.01" },
      ];
      let count = 0;
      /** One round of the consumer leaves the credits of its decisions in transit. */
      const decideMore = async () => {
        const request = requests[count++ % requests.length];
        if (request) await accept("alice", request, { actor: "admin" });
        await consumeSent(ports);
      };
      ports.hiddenIds.add(moved.transfer.id);
      const interrupted: LedgerReader = {
        ...reader,
        async *wallets() {
          for await (const each of reader.wallets()) {
            yield each;
            if (method === "wallets") await decideMore();
          }
        },
        async *history(userId) {
          for await (const each of reader.history(userId)) {
            yield each;
            if (method === "history") await decideMore();
          }
        },
        async *statuses() {
          for await (const each of reader.statuses()) {
            yield each;
            if (method === "statuses") await decideMore();
          }
        },
        wallet: (userId) => thenDecide("wallet", reader.wallet(userId)),
        consistentHistory: (userId) => thenDecide("consistentHistory", reader.consistentHistory(userId)),
        transactions: (keys) => thenDecide("transactions", reader.transactions(keys)),
      };
      async function thenDecide<T>(name: typeof method, read: Promise<T>): Promise<T> {
        const result = await read;
        if (name === method) await decideMore();
        return result;
      }

      const { discrepancies } = await verify(interrupted);
      expect([discrepancies, count > 0]).toEqual([[], true]);
      ports.hiddenIds.clear();
      expect(await found()).toEqual([]);
    },
  );
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
