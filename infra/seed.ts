import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { dynamoDocuments } from "../lib/aws/documents.ts";
import currencies from "./currencies.json" with { type: "json" };

/**
 * Adds the missing currencies, enabled. An existing currency stays unchanged, because an operator may have changed it.
 *
 * @returns codes of the added currencies
 */
export async function seedCurrencies(tableName: string): Promise<string[]> {
  const seeded: string[] = [];
  for (const currency of currencies) {
    try {
      await dynamoDocuments.send(
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
