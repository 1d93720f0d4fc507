import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AttributeValue,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { itemBytes } from "../../bench/bill.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamo } from "../../lib/aws/clients.ts";
import {
  number,
  text,
  toDecisionAttributes,
  toInteger,
  toPendingItem,
  toTransaction,
  toWalletAttributes,
} from "../../lib/aws/items.ts";
import { dynamoLedgerReader } from "../../lib/aws/ledgerReader.ts";
import { decide, evolve, walletAfter } from "../../lib/domain/decide.ts";
import { contentHashOf } from "../../lib/domain/hash.ts";
import type { Credit } from "../../lib/domain/movements/credit.ts";
import { emptyWallet } from "../../lib/domain/state.ts";
import { pendingTransaction, type Transaction } from "../../lib/domain/transaction.ts";
import { createCheckpoint } from "../../lib/ledger/checkpoint.ts";
import type { TransactionKey } from "../../lib/ledger/ports.ts";
import { positionText } from "../../lib/ledger/position.ts";
import { requeue } from "../../lib/ledger/requeue.ts";
import { submit } from "../../lib/ledger/submit.ts";
import { type Head, verify } from "../../lib/ledger/verify.ts";
import { ANTLER, operate } from "../../testkit/antler.ts";
import { newUser } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { submissionWith } from "../../testkit/inMemoryPorts.ts";
import { emittedOf, moveAll, movementsOf, usd } from "../../testkit/movements.ts";
import { consumeAll } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";
import { commandWith, stateOf, transactionOf } from "../../testkit/storeContract.ts";

/** `antler verify` and `antler checkpoint` on real tables, which an attacker can write. */
const engines = await startEngines("dynoxide");
const decideAll = async () => {
  while ((await consumeAll(engines.queueUrl)) > 0);
};
const movements = movementsOf(ports, decideAll);
const { accept, move, decided } = movements;
const folder = mkdtempSync(join(tmpdir(), "antler-verify-"));
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await engines.stop();
});

type Item = NonNullable<PutItemCommandInput["Item"]>;
type PutItemCommandInput = ConstructorParameters<typeof PutItemCommand>[0];

const put = (table: string, Item: Item) => dynamo.send(new PutItemCommand({ TableName: `antler-test-${table}`, Item }));
const remove = (table: string, Key: Item) =>
  dynamo.send(new DeleteItemCommand({ TableName: `antler-test-${table}`, Key }));

async function walletItem(userId: string): Promise<Item> {
  const Key = { userId: text(userId) };
  const { Item = {} } = await dynamo.send(new GetItemCommand({ TableName: "antler-test-wallets", Key }));
  return Item;
}

/** The user's decided items by their sequence. */
async function historyOf(userId: string): Promise<Item[]> {
  const { Items = [] } = await dynamo.send(
    new QueryCommand({
      TableName: "antler-test-transactions",
      KeyConditionExpression: "userId = :userId",
      ExpressionAttributeValues: { ":userId": text(userId) },
    }),
  );
  return Items.filter(({ position }) => position).sort((a, b) =>
    (a.position?.S ?? "") < (b.position?.S ?? "") ? -1 : 1,
  );
}

/** A user with a deposit, a withdrawal, a rejected withdrawal and another deposit, written by the ledger. */
async function aHistory(): Promise<string> {
  const userId = newUser();
  const steps = [
    { type: "deposit", amount: "5.00", reference: "first" },
    { type: "withdrawal", amount: "2.00", metadata: { order: "A-1" } },
    { type: "withdrawal", amount: "9.00" },
    { type: "deposit", amount: "1.00" },
  ] as const;
  for (const [index, step] of steps.entries()) {
    await submit(submissionWith({ userId, idempotencyKey: `key-${index}`, ...step }), ports);
    await consumeAll(engines.queueUrl);
  }
  return userId;
}

async function discrepanciesOf(userId: string, checkpoint?: ReadonlyMap<string, Head>) {
  const { discrepancies } = await verify(dynamoLedgerReader, checkpoint);
  return discrepancies.filter((found) => found.userId === userId).map(({ code }) => code);
}

/** Replaces the user's history and wallet by what the ledger would have written for these transactions. */
async function rewrite(userId: string, transactions: readonly Transaction[]): Promise<void> {
  for (const item of await historyOf(userId))
    await remove("transactions", { userId: text(userId), id: item.id ?? text("") });
  let state = stateOf();
  for (const transaction of transactions) {
    const command = { ...transaction, contentHash: contentHashOf(transaction) };
    const decision = decide(state, command, command.createdAt);
    state = evolve(state, command, decision);
    await put("transactions", { ...toPendingItem(command), ...toDecisionAttributes(command, decision) });
  }
  if (transactions.length > 0) await put("wallets", { userId: text(userId), ...toWalletAttributes(state.wallet) });
  else await remove("wallets", { userId: text(userId) });
}

async function transactionsOf(userId: string): Promise<Transaction[]> {
  return (await historyOf(userId)).map((item) => toTransaction(unmarshall(item, { wrapNumbers: toInteger })));
}

const withAmount = (transaction: Transaction, amountMinor: bigint): Transaction =>
  Object.assign({}, transaction, { amountMinor });

/** Changes the decision with this sequence. */
async function edit(userId: string, sequence: number, change: (item: Item) => Item): Promise<void> {
  const item = (await historyOf(userId))[sequence - 1] ?? {};
  await put("transactions", change(item));
}

/** The item's position with another time or sequence number. */
function placed({ position }: Item, decidedAt = position?.S?.split("#")[0] ?? "", sequence = 0): AttributeValue {
  return text(positionText({ decidedAt, sequence }));
}

describe("antler checkpoint", () => {
  // The tables are empty before the other tests.
  test("writes a file with which antler verify names the user whose history was rewritten", async () => {
    const file = join(folder, "checkpoint.jsonl");
    const checkpoint = () => run(ANTLER, ["checkpoint", file, "--stage", "test"], {});
    const verified = (...args: string[]) => operate("verify", ...args);
    const userId = await aHistory();
    const created = await checkpoint();
    expect(created).toEqual({
      code: 0,
      output: expect.stringMatching(/^checkpoint \S+Z wallets=1 root=[\w-]{43}\n$/),
    });
    const [, createdAt = "", root = ""] = /^checkpoint (\S+) .*root=(\S+)/.exec(created.output) ?? [];
    expect(await checkpoint()).toEqual({
      code: 1,
      output: `${file} can't be written: EEXIST: file already exists, open '${file}'\n`,
    });
    const counts = "1 wallets, 3 posted, 1 rejected, 0 pending\n  USD  4.00\n";
    expect(await run(ANTLER, ["verify", "--checkpoint", file, "--stage", "test"], {})).toEqual({
      code: 0,
      output: `${counts}Every wallet matches its history.\nCheckpoint of ${createdAt}, root ${root}\n`,
    });

    const [first, ...others] = await transactionsOf(userId);
    if (!first) throw new Error("The history is empty");
    await rewrite(userId, [withAmount(first, 600n), ...others]);
    expect(await verified()).toMatchObject({ code: 0 });
    const found = await verified("--checkpoint", file);
    expect(found.code).toBe(1);
    expect(found.output).toContain(
      `HEAD_MISMATCH: user ${userId} has another hash than the checkpoint at sequence 4\n`,
    );
    expect(found.output).toContain("Wallets with a discrepancy: 1\n");

    const [{ hash = text("") } = {}] = [await walletItem(userId)];
    const changed = readFileSync(file, "utf8").replace(/"hash":"[^"]+"/, `"hash":"${hash.S}"`);
    expect(changed).not.toBe(readFileSync(file, "utf8"));
    writeFileSync(file, changed);
    expect(await verified("--checkpoint", file)).toEqual({
      code: 1,
      output: `${file} is not a checkpoint: The root is not that of the other lines\n`,
    });
  });
});

test("antler verify prints the money in transit by currency, while there is any", async () => {
  const [alice, bob] = [newUser("alice"), newUser("bob")];
  await move(bob, { type: "status_change", newStatus: "active" });
  for (const currency of ["USD", "JPY"]) await move(alice, { type: "deposit", currency, amount: "500" });
  const verified = () => operate("verify");
  await accept(alice, { type: "transfer", currency: "USD", amount: "12.00", to: bob });
  await accept(alice, { type: "transfer", currency: "JPY", amount: "300", to: bob });
  await consumeAll(engines.queueUrl);
  expect(await verified()).toEqual({
    code: 0,
    output: expect.stringMatching(
      /\n {2}JPY {2}200\n {2}USD {2}\d+\.00\n {2}in transit {2}JPY {2}300\n {2}in transit {2}USD {2}12\.00\nEvery wallet/,
    ),
  });
  await decideAll();
  expect(await verified()).toEqual({ code: 0, output: expect.not.stringContaining("in transit") });
});

describe("verify of every movement", () => {
  type Moved = Awaited<ReturnType<typeof moveAll>>;
  let moved: Moved;
  let users: ReadonlySet<string>;
  beforeAll(async () => {
    moved = await moveAll(movements, newUser);
    users = new Set(Object.values(moved).flatMap(({ userId }) => userId));
  });

  /** What verify finds in the wallets of these users. */
  async function found() {
    const { discrepancies } = await verify(dynamoLedgerReader);
    return discrepancies.filter(({ userId }) => users.has(userId)).map(({ userId, code }) => ({ userId, code }));
  }

  async function itemOf({ userId, id }: TransactionKey): Promise<Item> {
    const Key = { userId: text(userId), id: text(id) };
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: "antler-test-transactions", Key }));
    if (!Item) throw new Error(`There is no transaction ${id}`);
    return Item;
  }

  /** What verify finds while an item is changed. */
  async function foundWith(key: TransactionKey, change: (item: Item) => Item) {
    const item = await itemOf(key);
    await put("transactions", change(item));
    return found().finally(() => put("transactions", item));
  }

  /** A new transfer of the first user's to the second, whose credit is pending. */
  async function inTransit() {
    const { userId, id } = await accept(moved.transfer.userId, {
      type: "transfer",
      ...usd("1.00"),
      to: moved.credit.userId,
    });
    await consumeAll(engines.queueUrl);
    const transfer = await decided(userId, id);
    const [credit] = await ports.store.findTransactions([emittedOf(transfer)]);
    if (credit?.type !== "credit") throw new Error("There is no credit");
    return { transfer, credit };
  }

  test("finds no discrepancy", async () => {
    expect(await found()).toEqual([]);
  });

  test.each<[code: string, name: string, of: keyof Moved, change: (item: Item) => Item]>([
    ["HASH_MISMATCH", "the receiver", "transfer", (item) => ({ ...item, to: text("mallory") })],
    [
      "HASH_MISMATCH",
      "the source",
      "credit",
      (item) => ({ ...item, source: { M: { ...item.source?.M, userId: text("mallory") } } }),
    ],
    ["HASH_MISMATCH", "the time", "open", (item) => ({ ...item, expiresAt: text("2030-01-01T00:00:00.000Z") })],
    ["HASH_MISMATCH", "the added user", "open", (item) => ({ ...item, to: text("mallory") })],
    ["HASH_MISMATCH", "the removed user", "promised", ({ to: _, ...item }) => item],
    ["HASH_MISMATCH", "the hold", "capture", (item) => ({ ...item, refersTo: text("tx_other") })],
    ["HASH_MISMATCH", "final", "capture", (item) => ({ ...item, final: { BOOL: true } })],
    ["HASH_MISMATCH", "the original", "refund", (item) => ({ ...item, refersTo: text("tx_other") })],
    [
      "HASH_MISMATCH",
      "the bought amount",
      "exchange",
      (item) => ({ ...item, bought: { M: { ...item.bought?.M, amountMinor: number(401) } } }),
    ],
    ["HASH_MISMATCH", "the new status", "closing", (item) => ({ ...item, newStatus: text("frozen") })],
    ["HASH_MISMATCH", "the wallet's status after it", "closing", ({ walletStatus: _, ...item }) => item],
    [
      "HASH_MISMATCH",
      "the changes",
      "capture",
      (item) => ({
        ...item,
        changes: { L: (item.changes?.L ?? []).map(({ M }) => ({ M: { ...M, amountMinor: number(-1) } })) },
      }),
    ],
    ["UNREADABLE", "the changes, removed", "capture", ({ changes: _, ...item }) => item],
    ["UNREADABLE", "the source, removed", "credit", ({ source: _, ...item }) => item],
    ["WRONG_REMAINDER", "what is left", "open", (item) => ({ ...item, remainingMinor: number(301) })],
    ["WRONG_REMAINDER", "what is left, removed", "open", ({ remainingMinor: _, ...item }) => item],
    ["WRONG_REMAINDER", "the hold's status, expired", "open", (item) => ({ ...item, holdStatus: text("expired") })],
    ["WRONG_REMAINDER", "the hold's status, removed", "promised", ({ holdStatus: _, ...item }) => item],
    [
      "WRONG_REMAINDER",
      "the hold's status, released",
      "promised",
      (item) => ({ ...item, holdStatus: text("released") }),
    ],
    ["WRONG_REMAINDER", "what is left, removed", "deposit", ({ remainingMinor: _, ...item }) => item],
    ["WRONG_REMAINDER", "what is left", "credit", (item) => ({ ...item, remainingMinor: number(1000) })],
    ["WRONG_REMAINDER", "what is left, after a return", "refunded", (item) => ({ ...item, remainingMinor: number(0) })],
  ])("names %s for an edit of %s of %s", async (code, _name, of, change) => {
    const { userId } = moved[of];
    const discrepancies = await foundWith(moved[of], change);
    expect(discrepancies.filter((each) => each.userId === userId)).toEqual([{ userId, code }]);
    // The other wallet of a transfer, a capture or a refund does not have what matches it any more.
    const others = discrepancies.filter((each) => each.userId !== userId).map((each) => each.code);
    expect(["CREDIT_MISMATCH", "SOURCE_MISMATCH"]).toEqual(expect.arrayContaining(others));
  });

  test.each<[code: string, name: string, of: keyof Moved, change: (item: Item) => Item]>([
    ["WRONG_DECISION", "a closed wallet as active", "closing", (item) => ({ ...item, status: text("active") })],
    ["WRONG_DECISION", "a frozen wallet as closed", "credit", (item) => ({ ...item, status: text("closed") })],
    ["WRONG_BALANCE", "held money", "open", (item) => ({ ...item, held: { M: {} } })],
  ])("names %s for %s", async (code, _name, of, change) => {
    const { userId } = moved[of];
    const item = await walletItem(userId);
    await put("wallets", change(item));
    const discrepancies = await found().finally(() => put("wallets", item));
    expect(discrepancies).toEqual([{ userId, code }]);
  });

  test("names CREDIT_MISMATCH for a pending credit that is deleted, or that is another with the hash of its content", async () => {
    const { transfer, credit } = await inTransit();
    const { userId, id } = credit;
    expect(await found()).toEqual([]);
    const item = await itemOf(credit);
    await remove("transactions", { userId: text(userId), id: text(id) });
    expect(await found()).toEqual([{ userId: transfer.userId, code: "CREDIT_MISMATCH" }]);
    const other = { ...credit, amountMinor: 101n };
    await put("transactions", toPendingItem({ ...other, contentHash: contentHashOf(other) }));
    expect(await found()).toEqual([{ userId: transfer.userId, code: "CREDIT_MISMATCH" }]);
    await put("transactions", item);
    expect(await found()).toEqual([]);
  });

  test.each<[name: string, change: (credit: Credit) => Partial<Credit>]>([
    ["a second credit of a transfer", () => ({})],
    ["a credit of no transfer", ({ source }) => ({ source: { ...source, transactionId: `tx_${"x".repeat(43)}` } })],
    [
      "a return of a credit that was not rejected",
      ({ userId, id, source }) => ({ userId: source.userId, source: { type: "return", userId, transactionId: id } }),
    ],
  ])("names SOURCE_MISMATCH for %s", async (_name, change) => {
    const forged: Credit = { ...moved.credit, id: `tx_${"y".repeat(43)}`, ...change(moved.credit) };
    const { userId, id } = forged;
    await put("transactions", toPendingItem(pendingTransaction(forged)));
    const discrepancies = await found().finally(() => remove("transactions", { userId: text(userId), id: text(id) }));
    expect(discrepancies).toEqual([{ userId, code: "SOURCE_MISMATCH" }]);
  });
});

describe("verify", () => {
  test("finds no discrepancy in what the ledger writes, also after the details were erased", async () => {
    const userId = await aHistory();
    expect(await discrepanciesOf(userId)).toEqual([]);
    for (const sequence of [1, 2]) {
      await edit(userId, sequence, ({ salt: _, reference: __, metadata: ___, ...rest }) => rest);
    }
    expect(await discrepanciesOf(userId)).toEqual([]);
  });

  test.each<[code: string, name: string, sequence: number, change: (item: Item) => Item]>([
    ["HASH_MISMATCH", "the reference", 1, (item) => ({ ...item, reference: text("other") })],
    ["HASH_MISMATCH", "the metadata", 2, (item) => ({ ...item, metadata: { M: { order: text("A-2") } } })],
    ["HASH_MISMATCH", "the salt", 1, (item) => ({ ...item, salt: text("other") })],
    ["HASH_MISMATCH", "a reference that is added", 3, (item) => ({ ...item, reference: text("new") })],
    ["HASH_MISMATCH", "the salt, erased alone", 1, ({ salt: _, ...rest }) => rest],
    ["HASH_MISMATCH", "the exponent", 1, (item) => ({ ...item, exponent: number(3) })],
    ["HASH_MISMATCH", "the currency", 1, (item) => ({ ...item, currency: text("EUR") })],
    ["HASH_MISMATCH", "the amount", 1, (item) => ({ ...item, amountMinor: number(501) })],
    ["HASH_MISMATCH", "the amount of a rejected one", 3, (item) => ({ ...item, amountMinor: number(901) })],
    ["HASH_MISMATCH", "the type", 4, (item) => ({ ...item, type: text("withdrawal") })],
    ["HASH_MISMATCH", "the actor", 1, (item) => ({ ...item, actor: text("admin") })],
    [
      "HASH_MISMATCH",
      "the time of acceptance",
      1,
      (item) => ({ ...item, createdAt: text("2026-01-01T00:00:00.000Z") }),
    ],
    ["HASH_MISMATCH", "the rejection code", 3, (item) => ({ ...item, rejectionCode: text("balance_limit") })],
    ["HASH_MISMATCH", "the balances", 2, (item) => ({ ...item, available: { M: { USD: number(301) } } })],
    ["HASH_MISMATCH", "the held balances", 2, (item) => ({ ...item, held: { M: { USD: number(1) } } })],
    ["HASH_MISMATCH", "the details hash", 1, (item) => ({ ...item, detailsHash: text("x".repeat(43)) })],
    ["HASH_MISMATCH", "the content hash", 1, (item) => ({ ...item, contentHash: text("x".repeat(43)) })],
    ["HASH_MISMATCH", "the hash", 2, (item) => ({ ...item, hash: text("x".repeat(43)) })],
    ["PREVIOUS_MISMATCH", "the previous hash", 2, (item) => ({ ...item, previousHash: text("x".repeat(43)) })],
    ["PREVIOUS_MISMATCH", "the previous hash, removed", 2, ({ previousHash: _, ...rest }) => rest],
    ["UNREADABLE", "the place in the index", 2, (item) => ({ ...item, position: text("2026-01-01T00:00:00.000Z#1") })],
    ["UNREADABLE", "the place in the index, removed", 2, ({ position: _, ...rest }) => rest],
    ["UNREADABLE", "the status", 2, (item) => ({ ...item, status: text("undone") })],
    ["UNREADABLE", "the balances, removed", 2, ({ available: _, ...rest }) => rest],
    ["UNREADABLE", "the hash, removed", 2, ({ hash: _, ...rest }) => rest],
    [
      "HASH_MISMATCH",
      "the status, rejected",
      2,
      (item) => ({ ...item, status: text("rejected"), rejectionCode: text("insufficient_funds") }),
    ],
    [
      "HASH_MISMATCH",
      "the status, posted",
      3,
      ({ rejectionCode: _, ...item }) => ({ ...item, status: text("posted") }),
    ],
    ["UNREADABLE", "the amount, which is no number", 2, (item) => ({ ...item, amountMinor: text("all") })],
    ["GAP", "the sequence", 2, (item) => ({ ...item, position: placed(item, undefined, 7) })],
    ["HASH_MISMATCH", "the time", 4, (item) => ({ ...item, position: placed(item, "2099-01-01T00:00:00.000Z", 4) })],
    ["GAP", "the status, pending again", 2, (item) => ({ ...item, status: text("pending") })],
  ])("names %s for an edit of %s", async (code, _name, sequence, change) => {
    const userId = await aHistory();
    await edit(userId, sequence, change);
    expect(await discrepanciesOf(userId)).toEqual([code]);
  });

  test.each<[code: string, name: string, tamper: (userId: string) => Promise<unknown>]>([
    [
      "WRONG_BALANCE",
      "the wallet's balance",
      async (userId) => put("wallets", { ...(await walletItem(userId)), available: { M: { USD: number(401) } } }),
    ],
    [
      "WRONG_BALANCE",
      "the wallet's held balance",
      async (userId) => put("wallets", { ...(await walletItem(userId)), held: { M: { USD: number(1) } } }),
    ],
    [
      "HEAD_MISMATCH",
      "the wallet's hash",
      async (userId) => put("wallets", { ...(await walletItem(userId)), hash: text("x") }),
    ],
    [
      "HEAD_MISMATCH",
      "the wallet's time",
      async (userId) => put("wallets", { ...(await walletItem(userId)), decidedAt: text("2026-01-01T00:00:00.000Z") }),
    ],
    [
      "TRUNCATED",
      "the wallet's sequence",
      async (userId) => put("wallets", { ...(await walletItem(userId)), sequence: number(5) }),
    ],
    [
      "HEAD_MISMATCH",
      "the wallet, rolled back alone",
      async (userId) => {
        const [, , third] = await transactionsOf(userId);
        if (third?.decision)
          await put("wallets", { userId: text(userId), ...toWalletAttributes(walletAfter(third.decision)) });
      },
    ],
    [
      "WRONG_BALANCE",
      "a balance of zero that is added to the wallet",
      async (userId) =>
        put("wallets", { ...(await walletItem(userId)), available: { M: { USD: number(400), EUR: number(0) } } }),
    ],
    [
      "UNREADABLE",
      "the wallet's balance, a fraction",
      async (userId) => put("wallets", { ...(await walletItem(userId)), available: { M: { USD: { N: "1.5" } } } }),
    ],
    ["TRUNCATED", "a deleted wallet", (userId) => remove("wallets", { userId: text(userId) })],
    [
      "GAP",
      "a deleted decision",
      async (userId) =>
        remove("transactions", { userId: text(userId), id: (await historyOf(userId))[1]?.id ?? text("") }),
    ],
    [
      "TRUNCATED",
      "the deleted last decision",
      async (userId) =>
        remove("transactions", { userId: text(userId), id: (await historyOf(userId))[3]?.id ?? text("") }),
    ],
    [
      "HASH_MISMATCH",
      "a decision under another id",
      async (userId) => {
        const item = (await historyOf(userId))[1] ?? {};
        await remove("transactions", { userId: text(userId), id: item.id ?? text("") });
        await put("transactions", { ...item, id: text(`tx_${"x".repeat(43)}`) });
      },
    ],
    [
      "PREVIOUS_MISMATCH",
      "two decisions in the other order",
      async (userId) => {
        const [, second = {}, third = {}] = await historyOf(userId);
        const place = ({ position = text("") }: Item) => ({ position });
        await put("transactions", { ...second, ...place(third) });
        await put("transactions", { ...third, ...place(second) });
      },
    ],
    [
      "HASH_MISMATCH",
      "an extra decision that fits the sequence and the wallet",
      async (userId) => {
        const [, , , last = {}] = await historyOf(userId);
        const at = "2099-01-01T00:00:00.000Z";
        const extra = {
          ...last,
          id: text(`tx_${"y".repeat(43)}`),
          previousHash: last.hash ?? text(""),
        };
        await put("transactions", {
          ...extra,
          position: text(`${at}#${"5".padStart(15, "0")}`),
          available: { M: { USD: number(500) } },
        });
        await put("wallets", {
          ...(await walletItem(userId)),
          sequence: number(5),
          decidedAt: text(at),
          available: { M: { USD: number(500) } },
        });
      },
    ],
    [
      "GAP",
      "a second decision with the same sequence number",
      async (userId) => put("transactions", { ...(await historyOf(userId))[3], id: text(`tx_${"y".repeat(43)}`) }),
    ],
    [
      "PREVIOUS_MISMATCH",
      "the next decision of another user",
      async (userId) => {
        const [item = {}] = (await historyOf(await aHistory())).slice(-1);
        await put("transactions", { ...item, userId: text(userId), position: placed(item, undefined, 5) });
        const { available = { M: {} }, hash = text("") } = item;
        await put("wallets", { ...(await walletItem(userId)), sequence: number(5), available, hash });
      },
    ],
    [
      "UNREADABLE",
      "an extra decision without a place in the index",
      async (userId) => {
        const { position: _, ...last } = (await historyOf(userId))[3] ?? {};
        await put("transactions", { ...last, id: text(`tx_${"z".repeat(43)}`) });
      },
    ],
    [
      "WRONG_DECISION",
      "a posted overdraft with a recomputed chain",
      async (userId) => {
        const transactions = await transactionsOf(userId);
        const [first, second] = transactions;
        if (!first || !second) throw new Error("The history is too short");
        // Decided on a wallet with more money, and then written with the hashes of the true one.
        const start = walletAfter(decide(stateOf(), first, first.createdAt));
        const rich = { ...start, available: new Map([["USD", 99_999n]]) };
        const overdraft = withAmount(second, 9000n);
        const decision = decide(stateOf(rich), overdraft, second.createdAt);
        await rewrite(userId, [first]);
        await put("transactions", {
          ...toPendingItem({ ...overdraft, contentHash: contentHashOf(overdraft) }),
          ...toDecisionAttributes(overdraft, decision),
        });
        await put("wallets", { userId: text(userId), ...toWalletAttributes(walletAfter(decision)) });
      },
    ],
  ])("names %s for %s", async (code, _name, tamper) => {
    const userId = await aHistory();
    await tamper(userId);
    expect(await discrepanciesOf(userId)).toEqual([code]);
  });

  test("names WRONG_BALANCE for a wallet with money and without a history", async () => {
    const userId = newUser();
    const rich = { ...emptyWallet, available: new Map([["USD", 1n]]) };
    await put("wallets", { userId: text(userId), ...toWalletAttributes(rich) });
    expect(await discrepanciesOf(userId)).toEqual(["WRONG_BALANCE"]);
  });

  test.each<[code: string, name: string, change: (item: Item) => Item]>([
    ["HASH_MISMATCH", "the amount", (item) => ({ ...item, amountMinor: number(777_777) })],
    ["HASH_MISMATCH", "the reference", (item) => ({ ...item, reference: text("other") })],
    ["HASH_MISMATCH", "the time", (item) => ({ ...item, createdAt: text("~") })],
    ["UNREADABLE", "the time, removed", ({ createdAt: _, ...rest }) => rest],
  ])("names %s for an edit of a pending transaction: %s", async (code, _name, change) => {
    const userId = newUser();
    await put("transactions", change(toPendingItem(transactionOf(commandWith({ userId })))));
    expect(await discrepanciesOf(userId)).toEqual([code]);
  });

  test("names a pending amount that was changed, and the requeue does not move it", async () => {
    const userId = newUser();
    const pending = transactionOf(commandWith({ userId }));
    await put("transactions", { ...toPendingItem(pending), amountMinor: number(777_777) });
    const [changed] = await dynamoStorePending(userId);
    await requeue(oneOf(changed), ports.queue);
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(userId)).toBeUndefined();
    expect(await discrepanciesOf(userId)).toEqual(["HASH_MISMATCH"]);
  });

  test("names a pending amount that was changed while the true message was in the queue", async () => {
    const userId = newUser();
    await submit(submissionWith({ userId, amount: "1.00" }), ports);
    const [pending] = await dynamoStorePending(userId);
    if (!pending) throw new Error("Nothing is pending");
    await put("transactions", { ...toPendingItem(pending), amountMinor: number(777_777) });
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(userId)).toMatchObject({ available: new Map([["USD", 100n]]) });
    expect(await discrepanciesOf(userId)).toEqual(["HASH_MISMATCH"]);
  });

  test.each<[code: string, name: string, tamper: (userId: string) => Promise<void>]>([
    [
      "HEAD_MISMATCH",
      "a history that was rewritten with another amount and a recomputed chain",
      async (userId) => {
        const [first, ...others] = await transactionsOf(userId);
        if (first) await rewrite(userId, [withAmount(first, 600n), ...others]);
      },
    ],
    [
      "TRUNCATED",
      "a history whose end was cut, with the wallet rolled back",
      async (userId) => rewrite(userId, (await transactionsOf(userId)).slice(0, 2)),
    ],
    ["TRUNCATED", "a deleted user", (userId) => rewrite(userId, [])],
  ])("names %s for %s, with an earlier checkpoint only", async (code, _name, tamper) => {
    const userId = await aHistory();
    const { heads } = await createCheckpoint(reader(userId), new Date().toISOString());
    expect(await discrepanciesOf(userId, heads)).toEqual([]);
    await tamper(userId);
    expect(await discrepanciesOf(userId)).toEqual([]);
    expect(await discrepanciesOf(userId, heads)).toEqual([code]);
  });
});

/** Reads only one user's wallet: those of other tests are tampered with. */
function reader(userId: string) {
  return {
    async *wallets() {
      for await (const read of dynamoLedgerReader.wallets()) if (read.userId === userId) yield read;
    },
  };
}

async function dynamoStorePending(userId: string): Promise<Transaction[]> {
  const pending: Transaction[] = [];
  for await (const read of dynamoLedgerReader.statuses()) {
    if (read.userId === userId && "transaction" in read && read.transaction) pending.push(read.transaction);
  }
  return pending;
}

async function* oneOf(transaction: Transaction | undefined) {
  if (transaction) yield transaction;
}

test("a decided transaction of a wallet with three currencies has less than 1 KB", async () => {
  const userId = newUser();
  for (const currency of ["EUR", "JPY", "USD"]) {
    await submit(submissionWith({ userId, idempotencyKey: currency, currency, amount: "1234567" }), ports);
  }
  await consumeAll(engines.queueUrl);
  const bytes = (await historyOf(userId)).map(itemBytes);
  expect(Math.max(...bytes)).toBeLessThan(1024);
});
