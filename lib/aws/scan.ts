import { QueryCommand, type QueryCommandInput, ScanCommand, type ScanCommandInput } from "@aws-sdk/lib-dynamodb";
import { dynamoDocuments } from "./clients.ts";
import { withTransientErrors } from "./errors.ts";

/** Without a limit the embedded DynamoDB reads to the end of the table for one page. */
const PAGE_ITEMS = 1000;

/** Every item of a query. */
export async function* query(input: QueryCommandInput) {
  let start: QueryCommandInput["ExclusiveStartKey"];
  do {
    const page = await withTransientErrors("Query", () =>
      dynamoDocuments.send(new QueryCommand({ Limit: PAGE_ITEMS, ...input, ExclusiveStartKey: start })),
    );
    yield* page.Items ?? [];
    start = page.LastEvaluatedKey;
  } while (start);
}

/** Every item of a table. */
export async function* scan(input: ScanCommandInput) {
  let start: ScanCommandInput["ExclusiveStartKey"];
  do {
    const page = await withTransientErrors("Scan", () =>
      dynamoDocuments.send(new ScanCommand({ Limit: PAGE_ITEMS, ...input, ExclusiveStartKey: start })),
    );
    yield* page.Items ?? [];
    start = page.LastEvaluatedKey;
  } while (start);
}
