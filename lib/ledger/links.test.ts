import { beforeEach, describe, expect, it } from "vitest";
import { ledgerReaderOf } from "../../testkit/histories.ts";
import { consumeSent, type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { emittedOf, moveAll, movementsInMemory, usd } from "../../testkit/movements.ts";
import { contentHashOf } from "../domain/hash.ts";
import type { Credit } from "../domain/movements/credit.ts";
import { commandOf, pendingTransaction, type Transaction } from "../domain/transaction.ts";
import { type TransactionKey, UnreadableItem } from "./ports.ts";
import { type DiscrepancyCode, type LedgerReader, verify } from "./verify.ts";

/** What is checked between wallets. Credits are tampered with while they are pending, so that no history shows it. */
let ports: InMemoryPorts;
let movements: ReturnType<typeof movementsInMemory>;
beforeEach(async () => {
  ports = inMemoryPorts();
  movements = movementsInMemory(ports);
  for (const userId of ["alice", "bob", "carol"]) await movements.move(userId, { type: "deposit", ...usd("10.00") });
});

const keyOf = ({ userId, id }: TransactionKey) => JSON.stringify([userId, id]);
const found = async () => {
  const { discrepancies } = await verify(ledgerReaderOf(ports));
  return discrepancies.map(({ userId, code }) => [userId, code]);
};

/** Alice's transfer of 2.00 to bob, whose credit is pending. */
async function inTransit() {
  const { userId, id } = await movements.accept("alice", { type: "transfer", ...usd("2.00"), to: "bob" });
  await consumeSent(ports);
  ports.sent.length = 0;
  const transfer = await movements.decided(userId, id);
  return { transfer, credit: pendingCredit(emittedOf(transfer)) };
}

function pendingCredit(key: TransactionKey): Transaction & Credit {
  const credit = ports.transactions.get(keyOf(key));
  if (credit?.type !== "credit" || credit.decision) throw new Error("There is no pending credit");
  return credit;
}

const remove = (key: TransactionKey) => void ports.transactions.delete(keyOf(key));

/** Stores a credit as if the ledger had accepted it. */
function forge(credit: Transaction & Credit, change: Partial<Credit> = {}) {
  const forged = { ...credit, ...change };
  ports.transactions.set(keyOf(forged), { ...forged, contentHash: contentHashOf(forged) });
}

describe("a ledger", () => {
  it("with every movement has no discrepancy, and nothing is in transit", async () => {
    await moveAll(movements);
    expect(await verify(ledgerReaderOf(ports))).toMatchObject({
      discrepancies: [],
      pending: 0,
      inTransitMinor: new Map(),
    });
  });

  it("counts in transit what is not decided: credits and returns, by currency", async () => {
    await inTransit();
    await inTransit();
    await movements.move("alice", { type: "deposit", currency: "JPY", amount: "500" });
    await movements.accept("alice", { type: "transfer", currency: "JPY", amount: "300", to: "carol" });
    await consumeSent(ports);
    const { totalsMinor, inTransitMinor, discrepancies } = await verify(ledgerReaderOf(ports));
    expect(discrepancies).toEqual([]);
    expect(inTransitMinor).toEqual(new Map(Object.entries({ USD: 400n, JPY: 300n })));
    expect(totalsMinor).toEqual(new Map(Object.entries({ USD: 2600n, JPY: 200n })));
  });

  it("counts a rejected credit in transit until it is returned", async () => {
    await movements.move("dave", { type: "status_change", newStatus: "active" });
    await movements.accept("alice", { type: "transfer", ...usd("2.00"), to: "dave" });
    await movements.accept("dave", { type: "status_change", newStatus: "closed" });
    await consumeSent(ports);
    const inTransitMinor = async () => (await verify(ledgerReaderOf(ports))).inTransitMinor.get("USD");
    expect(await inTransitMinor()).toBe(200n);
    await consumeSent(ports);
    expect(await inTransitMinor()).toBe(200n);
    await consumeSent(ports);
    expect(await inTransitMinor()).toBeUndefined();
  });
});

describe("verify names", () => {
  it.each<[string, DiscrepancyCode, string, () => Promise<void>]>([
    ["a debit whose credit is deleted", "CREDIT_MISMATCH", "alice", async () => remove((await inTransit()).credit)],
    [
      "a debit whose credit has another amount",
      "CREDIT_MISMATCH",
      "alice",
      async () => forge((await inTransit()).credit, { amountMinor: 201n }),
    ],
    [
      "a debit whose credit has another currency",
      "CREDIT_MISMATCH",
      "alice",
      async () => forge((await inTransit()).credit, { currency: "EUR" }),
    ],
    [
      "a debit whose credit has another time",
      "CREDIT_MISMATCH",
      "alice",
      async () => forge((await inTransit()).credit, { createdAt: "2026-11-23T09:30:00.001Z" }),
    ],
    [
      "a credit without a source",
      "SOURCE_MISMATCH",
      "bob",
      async () => {
        const { credit } = await inTransit();
        forge(credit, { id: "tx_x", source: { ...credit.source, transactionId: "tx_unknown" } });
      },
    ],
    [
      "a credit whose source is in another wallet",
      "SOURCE_MISMATCH",
      "bob",
      async () => {
        const { credit } = await inTransit();
        forge(credit, { id: "tx_x", source: { ...credit.source, userId: "carol" } });
      },
    ],
    [
      "a credit of a transaction that sends no money",
      "SOURCE_MISMATCH",
      "bob",
      async () => {
        const { credit } = await inTransit();
        const { id } = await movements.move("alice", { type: "withdrawal", ...usd("1.00") });
        forge(credit, { id: "tx_x", source: { ...credit.source, transactionId: id } });
      },
    ],
    [
      "a credit of a rejected transfer",
      "SOURCE_MISMATCH",
      "bob",
      async () => {
        const { credit } = await inTransit();
        const { id } = await movements.move("alice", { type: "transfer", ...usd("99.00"), to: "bob" });
        forge(credit, { id: "tx_x", source: { ...credit.source, transactionId: id } });
      },
    ],
    [
      "a credit of a transfer that is not decided",
      "SOURCE_MISMATCH",
      "bob",
      async () => {
        const { credit } = await inTransit();
        const { id } = await movements.accept("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
        forge(credit, { id: "tx_x", source: { ...credit.source, transactionId: id } });
      },
    ],
    [
      "a second credit of one transfer",
      "SOURCE_MISMATCH",
      "bob",
      async () => forge((await inTransit()).credit, { id: "tx_x" }),
    ],
    [
      "a second credit of one transfer in another wallet",
      "SOURCE_MISMATCH",
      "carol",
      async () => forge((await inTransit()).credit, { userId: "carol" }),
    ],
    [
      "a return of a credit that was not rejected",
      "SOURCE_MISMATCH",
      "alice",
      async () => {
        const transfer = await movements.move("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
        const { credit } = await inTransit();
        const source = { type: "return", userId: "bob", transactionId: emittedOf(transfer).id } as const;
        forge(credit, { userId: "alice", id: "tx_x", source });
      },
    ],
    [
      "a return of a credit that is not decided",
      "SOURCE_MISMATCH",
      "alice",
      async () => {
        const { credit } = await inTransit();
        forge(credit, {
          userId: "alice",
          id: "tx_x",
          source: { type: "return", userId: "bob", transactionId: credit.id },
        });
      },
    ],
    [
      "a rejected credit whose return is deleted",
      "CREDIT_MISMATCH",
      "dave",
      async () => {
        await movements.move("dave", { type: "status_change", newStatus: "active" });
        await movements.accept("alice", { type: "transfer", ...usd("2.00"), to: "dave" });
        await movements.accept("dave", { type: "status_change", newStatus: "closed" });
        await consumeSent(ports);
        await consumeSent(ports);
        remove([...ports.transactions.values()].find((each) => each.userId === "alice" && !each.decision) ?? none);
      },
    ],
  ])("%s: %s of %s", async (_what, code, userId, tamper) => {
    await tamper();
    expect(await found()).toEqual([[userId, code]]);
  });

  const none = { userId: "", id: "" };

  it.each(["transfer", "capture", "refund"] as const)("the deleted credit of a %s", async (name) => {
    const moved = await moveAll(movements);
    const credit = emittedOf(moved[name]);
    remove(credit);
    expect(await found()).toEqual(
      expect.arrayContaining([
        [moved[name].userId, "CREDIT_MISMATCH"],
        [credit.userId, expect.stringMatching(/GAP|TRUNCATED/)],
      ]),
    );
  });

  it("each of more wrong links than are read at once", async () => {
    for (let time = 1; time <= 60; time++) {
      const user = `user-${time}`;
      await movements.move(user, { type: "deposit", ...usd("10.00") });
      await movements.move(user, { type: "transfer", ...usd("1.00"), to: "bob" });
      const { userId, id } = await movements.accept(user, { type: "transfer", ...usd("2.00"), to: "bob" });
      await consumeSent(ports);
      ports.sent.length = 0;
      remove(emittedOf(await movements.decided(userId, id)));
    }
    ports.calls.length = 0;
    const { discrepancies } = await verify(ledgerReaderOf(ports));
    const sizes = ports.calls.map((call) => call.split(" ").length - 1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
    expect(discrepancies).toHaveLength(60);
    expect(new Set(discrepancies.map(({ code }) => code))).toEqual(new Set(["CREDIT_MISMATCH"]));
  });

  it("a forged credit that the consumer decided", async () => {
    const { credit } = await inTransit();
    const forged = pendingTransaction({ ...credit, id: "tx_forged" });
    forge(forged);
    ports.sent.push({ commands: [commandOf(forged)], requestId: "forged" });
    await consumeSent(ports);
    expect(ports.wallets.get("bob")).toMatchObject({ available: new Map([["USD", 1200n]]) });
    expect(await found()).toEqual([["bob", "SOURCE_MISMATCH"]]);
  });

  it("wrong links although the item of another link is unreadable, and not that item again", async () => {
    const [deleted, unreadable] = [await inTransit(), await inTransit()];
    remove(deleted.credit);
    const reader = ledgerReaderOf(ports);
    const item = new UnreadableItem("bob", `transaction ${unreadable.credit.id}`, "it is damaged");
    async function* statuses() {
      for await (const read of reader.statuses()) {
        yield "transaction" in read && read.transaction?.id === unreadable.credit.id ? item : read;
      }
    }
    const transactions: LedgerReader["transactions"] = async (keys) => {
      if (keys.some(({ id }) => id === unreadable.credit.id)) throw item;
      return reader.transactions(keys);
    };
    const { discrepancies } = await verify({ ...reader, statuses, transactions });
    expect(discrepancies.map(({ userId, code, detail }) => [userId, code, detail])).toEqual([
      ["bob", "UNREADABLE", item.message],
      ["alice", "CREDIT_MISMATCH", expect.stringContaining(deleted.transfer.id)],
    ]);
  });

  it("a credit that never was, with the user and the ids", async () => {
    const { credit } = await inTransit();
    forge(pendingTransaction({ ...credit, id: "tx_forged" }));
    const { discrepancies } = await verify(ledgerReaderOf(ports));
    expect(discrepancies).toEqual([
      {
        userId: "bob",
        code: "SOURCE_MISMATCH",
        detail: "has credit tx_forged, which no transaction of user alice caused",
      },
    ]);
  });
});
