import { type AttributeValue, DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import * as z from "zod";
import { parsePosition } from "../lib/ledger/position.ts";
import { sum } from "../scripts/statistics.ts";

const transactionItem = z
  .object({
    userId: z.string(),
    id: z.string(),
    status: z.enum(["pending", "posted", "rejected"]),
    position: z.string().optional(),
  })
  .transform(({ position = "", ...item }) => {
    const decided = parsePosition(position);
    return { ...item, sequence: decided?.sequence, decidedAt: decided?.decidedAt };
  });
export type TransactionItem = z.output<typeof transactionItem>;

/** Reads a stage's tables from the engine at this port, past any proxy. */
export function ledgerReader(port: string | undefined, stage = "local") {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new DynamoDBClient({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials });
  const items = async (table: "wallets" | "transactions") => {
    const input = { TableName: `antler-${stage}-${table}`, ConsistentRead: true };
    const pages: Record<string, AttributeValue>[][] = [];
    for await (const { Items = [] } of paginateScan({ client, pageSize: 1000 }, input)) pages.push(Items);
    return pages.flat();
  };
  return {
    items,
    /** How many commands were decided: each takes the next sequence number of its wallet. */
    decided: async () => sum((await items("wallets")).map(({ sequence }) => Number(sequence?.N))),
    transactions: async () => (await items("transactions")).map((item) => transactionItem.parse(unmarshall(item))),
  };
}
