import { ConditionalCheckFailedException, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import * as z from "zod/mini";
import type { DueIndex } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { dynamo } from "./clients.ts";
import { withTransientErrors } from "./errors.ts";
import { DUE_SHARDS, number, text } from "./items.ts";
import { query } from "./scan.ts";

const keyItem = z.object({ userId: z.string(), id: z.string() });

/** The sparse index `due` of the transactions: undecided credits and open holds, by the time at which the sweep sends them. */
export const dynamoDueIndex: DueIndex = {
  async *dueBefore(time) {
    for (let shard = 0; shard < DUE_SHARDS; shard++) {
      const items = query({
        TableName: setting("TRANSACTIONS_TABLE"),
        IndexName: "due",
        KeyConditionExpression: "dueShard = :shard AND dueAt < :time",
        ExpressionAttributeValues: { ":shard": number(shard), ":time": text(time) },
      });
      for await (const item of items) yield keyItem.parse(item);
    }
  },
  async postpone({ userId, id }, dueAt) {
    try {
      await withTransientErrors("Postpone a transaction", () =>
        dynamo.send(
          new UpdateItemCommand({
            TableName: setting("TRANSACTIONS_TABLE"),
            Key: { userId: text(userId), id: text(id) },
            UpdateExpression: "SET dueAt = :dueAt",
            ConditionExpression: "attribute_exists(dueAt)",
            ExpressionAttributeValues: { ":dueAt": text(dueAt) },
          }),
        ),
      );
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  },
};
