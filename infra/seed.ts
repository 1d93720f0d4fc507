import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { dynamo } from "../lib/aws/clients.ts";
import currencies from "./currencies.json" with { type: "json" };

/**
 * Puts the currencies that are missing, enabled. One that is there stays as it is, so that what an operator changed is
 * never undone.
 *
 * @returns codes of the currencies that were put
 */
export async function seedCurrencies(tableName: string): Promise<string[]> {
  const seeded: string[] = [];
  for (const currency of currencies) {
    try {
      await dynamo.send(
        new PutCommand({
          TableName: tableName,
          Item: { ...currency, enabled: true },
          ConditionExpression: "attribute_not_exists(code)",
        }),
      );
      seeded.push(currency.code);
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  }
  return seeded;
}
