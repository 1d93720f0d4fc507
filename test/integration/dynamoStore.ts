import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedCurrencies } from "../../infra/seed.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamoDocuments } from "../../lib/aws/clients.ts";
import { dynamoLedgerReader } from "../../lib/aws/ledgerReader.ts";
import { verify } from "../../lib/ledger/verify.ts";
import { type DynamoEngine, type Engines, startEngines } from "../../testkit/engines.ts";
import { DECIDED_AT, describeStoreContract, writerOf } from "../../testkit/storeContract.ts";

/** The same tests on every engine, in a file each, because an SDK client keeps its first endpoint. */
export function describeStoreOn(engine: DynamoEngine): void {
  describe(`the store on ${engine}`, () => {
    const { accepted, commit } = writerOf(ports.store);
    let engines: Engines;
    beforeAll(async () => {
      engines = await startEngines(engine);
    });
    afterAll(() => engines.stop());

    describeStoreContract(ports.store);

    test("a deploy does not overwrite what an operator changed in a currency", async () => {
      const table = process.env.CURRENCIES_TABLE ?? "";
      const changed = { code: "GBP", name: "Sterling", exponent: 2, enabled: false };
      await dynamoDocuments.send(new PutCommand({ TableName: table, Item: changed }));
      expect(await seedCurrencies(table)).toEqual([]);
      expect((await ports.currencies.list()).find(({ code }) => code === "GBP")).toEqual(changed);
    });

    test("what it writes verifies, until an item is changed", async () => {
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
  const item = { userId, sequence, balances: { USD: minor }, updatedAt: DECIDED_AT.toISOString() };
  return dynamoDocuments.send(new PutCommand({ TableName: process.env.WALLETS_TABLE, Item: item }));
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
    createdAt: DECIDED_AT.toISOString(),
    status: "posted",
    sequence: 2,
    balanceAfterMinor: 300n,
    postedAt: DECIDED_AT.toISOString(),
    ...changes,
  };
  await dynamoDocuments.send(new PutCommand({ TableName: process.env.TRANSACTIONS_TABLE, Item: item }));
}

const tamperings: [string, Tamper, string][] = [
  ["balance", (userId) => putWallet(userId, 2, 301n), "difference 1"],
  ["sequence", (userId) => putWallet(userId, 3, 300n), "at sequence 3 and a history that ends at 2"],
  ["amount", (userId, id) => putTransaction(userId, id, { amountMinor: 201n }), "a balance after it of 300"],
  ["overdraft", (userId, id) => putTransaction(userId, id, { amountMinor: 900n }), "it should be rejected"],
  ["gap", (userId, id) => putTransaction(userId, id, { sequence: 3 }), "at sequence 3 where 2 is expected"],
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
