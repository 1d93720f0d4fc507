import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedCurrencies } from "../../infra/seed.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { dynamoDueIndex } from "../../lib/aws/dueIndex.ts";
import { type DynamoEngine, type Engines, startEngines } from "../../testkit/engines.ts";
import { describeStoreContract } from "../../testkit/storeContract.ts";

/** The same tests on every engine, in a file each, because an SDK client keeps its first endpoint. */
export function describeStoreOn(engine: DynamoEngine): void {
  describe(`the store on ${engine}`, () => {
    let engines: Engines;
    beforeAll(async () => {
      engines = await startEngines(engine);
    });
    afterAll(() => engines.stop());

    describeStoreContract(ports.store, dynamoDueIndex);

    test("a deploy does not overwrite what an operator changed in a currency", async () => {
      const table = process.env.CURRENCIES_TABLE ?? "";
      const changed = { code: "GBP", name: "Sterling", exponent: 2, enabled: false };
      await dynamoDocuments.send(new PutCommand({ TableName: table, Item: changed }));
      expect(await seedCurrencies(table)).toEqual([]);
      expect((await ports.currencies.list()).find(({ code }) => code === "GBP")).toEqual(changed);
    });
  });
}
