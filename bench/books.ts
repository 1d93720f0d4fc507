import { setTimeout } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import type { Due } from "./workloads.ts";

const transactionRow = z.object({
  userId: z.string(),
  id: z.string(),
  status: z.enum(["pending", "posted", "rejected"]),
  sequence: z.number().optional(),
  postedAt: z.string().optional(),
});

type TransactionRow = z.output<typeof transactionRow>;

/** The stack's tables. */
export class Books {
  readonly #dynamo: DynamoDBDocumentClient;

  constructor(port: number) {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const client = new DynamoDBClient({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials });
    this.#dynamo = DynamoDBDocumentClient.from(client);
  }

  /** Every decision takes the next number of its wallet's sequence. */
  async decided(): Promise<number> {
    let sum = 0;
    for await (const { sequence } of this.#scan("wallets", "#sequence", { "#sequence": "sequence" })) sum += sequence;
    return sum;
  }

  /** Every transaction, in no order. */
  async *transactions(): AsyncGenerator<TransactionRow> {
    const names = { "#status": "status", "#sequence": "sequence" };
    const rows = this.#scan("transactions", "userId, id, #status, #sequence, postedAt", names);
    for await (const item of rows) yield transactionRow.parse(item);
  }

  async *#scan(table: string, projection: string, names: Readonly<Record<string, string>>) {
    let start: Record<string, unknown> | undefined;
    do {
      const page = await this.#dynamo.send(
        new ScanCommand({
          TableName: `antler-local-${table}`,
          ProjectionExpression: projection,
          ExpressionAttributeNames: names,
          ConsistentRead: true,
          ExclusiveStartKey: start,
        }),
      );
      yield* page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start);
  }

  async untilStill(): Promise<void> {
    for (let before = -1, now = await this.decided(); now !== before; before = now, now = await this.decided()) {
      await setTimeout(500);
    }
  }

  async postedAfterMs(due: readonly Due[]): Promise<number[]> {
    return Promise.all(
      due.map(async ({ userId, transactionId, dueAtMs }) => {
        const { Item } = await this.#dynamo.send(
          new GetCommand({ TableName: "antler-local-transactions", Key: { userId, id: transactionId } }),
        );
        return Date.parse(Item?.postedAt) - dueAtMs;
      }),
    );
  }
}
