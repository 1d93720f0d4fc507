import { type AttributeValue, DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import * as z from "zod";
import { sum } from "../scripts/statistics.ts";

const transactionItem = z.object({
  userId: z.string(),
  id: z.string(),
  status: z.enum(["pending", "posted", "rejected"]),
  sequence: z.number().optional(),
  postedAt: z.string().optional(),
});
export type TransactionItem = z.output<typeof transactionItem>;

/** Reads a stage's tables from the engine at this port, past any proxy. */
export class LedgerReader {
  readonly #client: DynamoDBClient;
  readonly #stage: string;

  constructor(port: number | string, stage = "local") {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    this.#client = new DynamoDBClient({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials });
    this.#stage = stage;
  }

  /** Commands that were decided: each takes the next sequence number of its wallet. */
  async decided(): Promise<number> {
    return sum((await this.items("wallets")).map(({ sequence }) => Number(sequence?.N)));
  }

  /** Every transaction, in no order. */
  async transactions(): Promise<TransactionItem[]> {
    return (await this.items("transactions")).map((item) => transactionItem.parse(unmarshall(item)));
  }

  async items(table: "wallets" | "transactions"): Promise<Record<string, AttributeValue>[]> {
    const input = { TableName: `antler-${this.#stage}-${table}`, ConsistentRead: true };
    const items = [];
    for await (const page of paginateScan({ client: this.#client, pageSize: 1000 }, input))
      items.push(page.Items ?? []);
    return items.flat();
  }
}
