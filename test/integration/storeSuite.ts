import { randomUUID } from "node:crypto";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedCurrencies } from "../../infra/seed.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamo } from "../../lib/aws/clients.ts";
import { dynamoLedgerReader } from "../../lib/aws/ledgerReader.ts";
import type { Command } from "../../lib/domain/command.ts";
import { MINOR_UNITS_MAX } from "../../lib/domain/money.ts";
import type { Transaction } from "../../lib/domain/transaction.ts";
import { emptyWallet, fold, type Wallet } from "../../lib/domain/wallet.ts";
import { messageOf } from "../../lib/ledger/message.ts";
import type { Commit, CommitResult } from "../../lib/ledger/ports.ts";
import { verify } from "../../lib/ledger/verify.ts";
import { type DynamoEngine, type Engines, startEngines } from "../../testkit/engines.ts";

const { store } = ports;
const now = new Date("2026-11-23T09:30:00.000Z");

function pending(userId: string, type: Command["type"], amountMinor: bigint): Transaction {
  return {
    id: `tx_${randomUUID()}`,
    userId,
    type,
    currency: "USD",
    exponent: 2,
    amountMinor,
    reference: undefined,
    metadata: undefined,
    fingerprint: "as accepted",
    createdAt: now.toISOString(),
    decision: undefined,
  };
}

async function accepted(userId: string, type: Command["type"], amountMinor: bigint): Promise<Transaction> {
  const transaction = pending(userId, type, amountMinor);
  expect(await store.putPending(transaction)).toBeUndefined();
  return transaction;
}

function commitOf(userId: string, before: Wallet | undefined, transactions: readonly Transaction[]): Commit {
  const { wallet, requiredMinor, decisions } = fold(before ?? emptyWallet, transactions);
  const decided = decisions.flatMap((decision, index) => {
    const transaction = transactions[index];
    return transaction ? [{ message: messageOf(transaction, "request-1"), decision }] : [];
  });
  return { userId, before, wallet, requiredMinor, decided, decidedAt: now };
}

function commit(
  userId: string,
  before: Wallet | undefined,
  transactions: readonly Transaction[],
): Promise<CommitResult> {
  return store.commit([commitOf(userId, before, transactions)]);
}

/** The same promises on every engine; a file each, because an SDK client keeps its first endpoint. */
export function describeStoreOn(engine: DynamoEngine): void {
  describe(`the store on ${engine}`, () => {
    let engines: Engines;
    beforeAll(async () => {
      engines = await startEngines(engine);
    });
    afterAll(() => engines.stop());

    test("keeps the first transaction of an id and returns it to the second", async () => {
      const first = await accepted("keeper", "deposit", 100n);
      const second = { ...first, amountMinor: 999n, fingerprint: "other" };
      expect(await store.putPending(second)).toEqual(first);
      expect(await store.findTransaction("keeper", first.id)).toEqual(first);
    });

    test("writes a fold whole: the wallet and every transaction, to 38 digits", async () => {
      const most = MINOR_UNITS_MAX - 1n;
      const commands = [
        await accepted("whale", "deposit", most),
        await accepted("whale", "withdrawal", MINOR_UNITS_MAX),
        await accepted("whale", "deposit", 1n),
      ];
      expect(await commit("whale", undefined, commands)).toEqual({ kind: "committed" });
      expect(await store.readWallet("whale")).toEqual({ sequence: 3, balances: new Map([["USD", MINOR_UNITS_MAX]]) });
      const { transactions } = await store.readHistory("whale", {
        limit: 10,
        beforeSequence: undefined,
        currency: undefined,
        status: undefined,
      });
      expect(transactions.map(({ decision }) => decision)).toEqual([
        { sequence: 3, balanceAfterMinor: MINOR_UNITS_MAX, outcome: { status: "posted", postedAt: now.toISOString() } },
        { sequence: 2, balanceAfterMinor: most, outcome: { status: "rejected", code: "insufficient_funds" } },
        { sequence: 1, balanceAfterMinor: most, outcome: { status: "posted", postedAt: now.toISOString() } },
      ]);
    });

    test("refuses a fold of a wallet that has moved since, or that was not there", async () => {
      const first = await accepted("mover", "deposit", 100n);
      const second = await accepted("mover", "deposit", 100n);
      expect(await commit("mover", undefined, [first])).toEqual({ kind: "committed" });
      expect((await commit("mover", undefined, [second])).kind).toBe("conflict");
      expect((await commit("mover", { sequence: 7, balances: new Map() }, [second])).kind).toBe("conflict");
      expect(await store.readWallet("mover")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
    });

    test("refuses a debit that the stored balance does not cover, whatever the reader believed", async () => {
      const deposit = await accepted("debtor", "deposit", 100n);
      await commit("debtor", undefined, [deposit]);
      const withdrawal = await accepted("debtor", "withdrawal", 500n);
      const believed: Wallet = { sequence: 1, balances: new Map([["USD", 1000n]]) };
      expect((await commit("debtor", believed, [withdrawal])).kind).toBe("conflict");
      expect(await store.readWallet("debtor")).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
    });

    test("tells which transactions were decided before, and which are not what was accepted", async () => {
      const done = await accepted("mixed", "deposit", 100n);
      await commit("mixed", undefined, [done]);
      const before = await store.readWallet("mixed");
      const open = await accepted("mixed", "deposit", 1n);
      const unknown = pending("mixed", "deposit", 1n);
      expect(await commit("mixed", before, [done, open, unknown])).toEqual({
        kind: "precondition_failed",
        alreadyDecided: new Set([done.id]),
        notAccepted: new Map([[unknown.id, "unknown_transaction"]]),
      });
      expect(await store.readWallet("mixed")).toEqual(before);
    });

    test.each([
      ["fingerprint", { fingerprint: "forged" }],
      ["amount", { amountMinor: 777_777n }],
      ["type", { type: "withdrawal" }],
      ["currency", { currency: "EUR" }],
    ] as const)("never decides a message with another %s, before or after the decision", async (name, change) => {
      const userId = `forged-${name}`;
      // Ends in zeros and has 38 digits: both sides write the number alike.
      const transaction = await accepted(userId, "deposit", 10n ** 37n);
      const mismatch = {
        kind: "precondition_failed",
        alreadyDecided: new Set(),
        notAccepted: new Map([[transaction.id, "content_mismatch"]]),
      };
      expect(await commit(userId, undefined, [{ ...transaction, ...change }])).toEqual(mismatch);
      expect(await store.readWallet(userId)).toBeUndefined();

      expect(await commit(userId, undefined, [transaction])).toEqual({ kind: "committed" });
      const wallet = { sequence: 1, balances: new Map([["USD", 10n ** 37n]]) };
      expect(await commit(userId, wallet, [{ ...transaction, ...change }])).toEqual(mismatch);
      expect(await commit(userId, wallet, [transaction])).toMatchObject({ alreadyDecided: new Set([transaction.id]) });
      expect(await store.readWallet(userId)).toEqual(wallet);
    });

    test("writes the folds of several users together, or none of them", async () => {
      const [one, two, three] = [
        await accepted("one", "deposit", 100n),
        await accepted("two", "deposit", 200n),
        await accepted("two", "withdrawal", 50n),
      ];
      const unknown = pending("one", "deposit", 1n);
      const stale: Wallet = { sequence: 7, balances: new Map() };
      const both = [commitOf("one", undefined, [one]), commitOf("two", undefined, [two, three])];
      expect(await store.commit([commitOf("one", stale, [one]), ...both.slice(1)])).toMatchObject({ kind: "conflict" });
      expect(await store.commit([...both.slice(1), commitOf("one", undefined, [one, unknown])])).toEqual({
        kind: "precondition_failed",
        alreadyDecided: new Set(),
        notAccepted: new Map([[unknown.id, "unknown_transaction"]]),
      });
      expect(await store.readWallets(["one", "two"])).toEqual(new Map());

      expect(await store.commit(both)).toEqual({ kind: "committed" });
      expect(await store.readWallets(["two", "nobody", "one"])).toEqual(
        new Map([
          ["one", { sequence: 1, balances: new Map([["USD", 100n]]) }],
          ["two", { sequence: 2, balances: new Map([["USD", 150n]]) }],
        ]),
      );
    });

    test("never undoes what an operator changed in a currency", async () => {
      const table = process.env.CURRENCIES_TABLE ?? "";
      const changed = { code: "GBP", name: "Sterling", exponent: 2, enabled: false };
      await dynamo.send(new PutCommand({ TableName: table, Item: changed }));
      expect(await seedCurrencies(table)).toEqual([]);
      expect((await ports.currencies.list()).find(({ code }) => code === "GBP")).toEqual(changed);
    });

    test("holds reader that verify, until somebody tampers with them", async () => {
      for (const [name, tamper, detail] of tamperings) {
        const userId = `tampered-${name}`;
        const commands = [await accepted(userId, "deposit", 500n), await accepted(userId, "withdrawal", 200n)];
        await commit(userId, undefined, commands);
        expect((await verify(dynamoLedgerReader)).discrepancies.filter((found) => found.userId === userId)).toEqual([]);
        await tamper(userId, commands[1]?.id ?? "");
        const { discrepancies } = await verify(dynamoLedgerReader);
        expect(discrepancies.filter((found) => found.userId === userId)).toEqual([
          { userId, detail: expect.stringContaining(detail) },
        ]);
      }
    });
  });
}

type Tamper = (userId: string, lastId: string) => Promise<unknown>;

function putWallet(userId: string, sequence: number, minor: bigint | number) {
  const item = { userId, sequence, balances: { USD: minor }, updatedAt: now.toISOString() };
  return dynamo.send(new PutCommand({ TableName: process.env.WALLETS_TABLE, Item: item }));
}

async function putTransaction(userId: string, id: string, changes: object) {
  const item = {
    userId,
    id,
    type: "withdrawal",
    currency: "USD",
    exponent: 2,
    amountMinor: 200n,
    fingerprint: "as accepted",
    createdAt: now.toISOString(),
    status: "posted",
    sequence: 2,
    balanceAfterMinor: 300n,
    postedAt: now.toISOString(),
    ...changes,
  };
  await dynamo.send(new PutCommand({ TableName: process.env.TRANSACTIONS_TABLE, Item: item }));
}

const tamperings: [string, Tamper, string][] = [
  ["balance", (userId) => putWallet(userId, 2, 301n), "difference 1"],
  ["sequence", (userId) => putWallet(userId, 3, 300n), "at sequence 3 and a history that ends at 2"],
  ["amount", (userId, id) => putTransaction(userId, id, { amountMinor: 201n }), "a balance after it of 300"],
  ["overdraft", (userId, id) => putTransaction(userId, id, { amountMinor: 900n }), "it should be rejected"],
  ["gap", (userId, id) => putTransaction(userId, id, { sequence: 3 }), "at sequence 3 where 2 is due"],
  ["fraction", (userId) => putWallet(userId, 2, 300.5), "unreadable item, wallet: balances.USD: "],
  ["text", (userId, id) => putTransaction(userId, id, { amountMinor: "all" }), ": amountMinor: "],
  ["status", (userId, id) => putTransaction(userId, id, { status: "undone" }), ": status: "],
  [
    "undecided",
    (userId, id) => putTransaction(userId, id, { rejectionCode: "x", status: "rejected" }),
    ": rejectionCode: ",
  ],
  ["extra", (userId) => putTransaction(userId, "tx_extra", { sequence: 3, balanceAfterMinor: 100n }), "ends at 3"],
];
