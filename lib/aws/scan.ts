import { QueryCommand, type QueryCommandInput, ScanCommand, type ScanCommandInput } from "@aws-sdk/client-dynamodb";
import { dynamo } from "./clients.ts";
import { withTransientErrors } from "./errors.ts";
import { toNative } from "./items.ts";

/** Without a limit the embedded DynamoDB reads to the end of the table for one page. */
const PAGE_ITEMS = 1000;

/** Every item of a query, as lib/aws/items.ts reads it. */
export async function* query(input: QueryCommandInput) {
  let start: QueryCommandInput["ExclusiveStartKey"];
  do {
    const page = await withTransientErrors("Query", () =>
      dynamo.send(new QueryCommand({ Limit: PAGE_ITEMS, ...input, ExclusiveStartKey: start })),
    );
    for (const item of page.Items ?? []) yield toNative(item);
    start = page.LastEvaluatedKey;
  } while (start);
}

/** Every item of a table, as lib/aws/items.ts reads it. */
export async function* scan(input: ScanCommandInput) {
  let start: ScanCommandInput["ExclusiveStartKey"];
  do {
    const page = await withTransientErrors("Scan", () =>
      dynamo.send(new ScanCommand({ Limit: PAGE_ITEMS, ...input, ExclusiveStartKey: start })),
    );
    for (const item of page.Items ?? []) yield toNative(item);
    start = page.LastEvaluatedKey;
  } while (start);
}
