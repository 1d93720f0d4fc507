import { ConditionalCheckFailedException, TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { GetCommand, TransactWriteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod/mini";
import { COMMAND_TYPES } from "../domain/command.ts";
import { TransientError } from "../ledger/ports.ts";
import { systemClock } from "../runtime/clock.ts";
import { setting } from "../runtime/config.ts";
import {
  ENDPOINT_STATUSES,
  ENDPOINTS_MAX,
  type Endpoint,
  type EndpointChange,
  type EndpointCondition,
  type EndpointStore,
} from "../webhooks/endpoint.ts";
import { cached } from "./cache.ts";
import { dynamoDocuments } from "./documents.ts";
import { withTransientErrors } from "./errors.ts";
import { scan } from "./scan.ts";

/** The id of the item that counts the endpoints, so that concurrent requests can't exceed the limit. */
const COUNTER_ID = "count";

const endpointItem: z.ZodMiniType<Endpoint> = z.object({
  id: z.string(),
  url: z.string(),
  types: z.optional(z.array(z.enum(COMMAND_TYPES))),
  description: z.optional(z.string()),
  secrets: z.array(z.object({ secret: z.string(), expiresAt: z.optional(z.string()) })),
  status: z.enum(ENDPOINT_STATUSES),
  disabledReason: z.optional(z.string()),
  createdAt: z.string(),
  lastSuccess: z.optional(z.object({ at: z.string() })),
  lastFailure: z.optional(z.object({ at: z.string(), reason: z.string() })),
});

/** The webhooks table. */
export const dynamoEndpoints: EndpointStore = { list, find, create, update, remove };

/** How long the publisher uses the endpoints that it has read. */
const ENDPOINTS_MAX_AGE_MS = 10_000;

/** The webhooks table, read once and cached for {@link ENDPOINTS_MAX_AGE_MS}. */
export function cachedEndpoints(): Pick<EndpointStore, "list"> {
  return { list: cached(list, ENDPOINTS_MAX_AGE_MS, systemClock) };
}

async function list(): Promise<readonly Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for await (const item of scan({ TableName: setting("WEBHOOKS_TABLE"), ConsistentRead: true })) {
    if (item.id !== COUNTER_ID) endpoints.push(endpointItem.parse(item));
  }
  return endpoints.sort((a, b) => (`${a.createdAt} ${a.id}` < `${b.createdAt} ${b.id}` ? -1 : 1));
}

async function find(id: string): Promise<Endpoint | undefined> {
  const { Item } = await withTransientErrors("Read an endpoint", () =>
    dynamoDocuments.send(new GetCommand({ TableName: setting("WEBHOOKS_TABLE"), Key: { id }, ConsistentRead: true })),
  );
  return Item && endpointItem.parse(Item);
}

function create(endpoint: Endpoint): Promise<boolean> {
  const TableName = setting("WEBHOOKS_TABLE");
  const Item = withoutAbsent(endpoint);
  return writeWithCount("Create an endpoint", { Put: { TableName, Item } }, 1);
}

function remove(id: string): Promise<boolean> {
  const TableName = setting("WEBHOOKS_TABLE");
  const Delete = { TableName, Key: { id }, ConditionExpression: "attribute_exists(id)" };
  return writeWithCount("Delete an endpoint", { Delete }, -1);
}

/** @returns false if the condition of the write or of the count is not met */
async function writeWithCount(
  what: string,
  write: NonNullable<TransactWriteCommand["input"]["TransactItems"]>[number],
  added: 1 | -1,
): Promise<boolean> {
  const Update = {
    TableName: setting("WEBHOOKS_TABLE"),
    Key: { id: COUNTER_ID },
    UpdateExpression: "ADD endpoints :added",
    ConditionExpression: "attribute_not_exists(endpoints) OR endpoints < :limit",
    // A removal never exceeds the limit.
    ExpressionAttributeValues: { ":added": added, ":limit": added > 0 ? ENDPOINTS_MAX : ENDPOINTS_MAX + 1 },
  };
  try {
    await withTransientErrors(what, () =>
      dynamoDocuments.send(new TransactWriteCommand({ TransactItems: [write, { Update }] })),
    );
    return true;
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    if (error.CancellationReasons?.some(({ Code }) => Code === "ConditionalCheckFailed")) return false;
    throw new TransientError(`${what}: ${error.message}`, { cause: error });
  }
}

async function update(
  id: string,
  change: EndpointChange,
  condition: EndpointCondition = {},
): Promise<Endpoint | undefined> {
  const changes = Object.entries(change).filter(([, value]) => value !== undefined);
  const conditions = Object.entries(condition);
  const set = changes.filter(([, value]) => value !== null).map(([name]) => `#${name} = :${name}`);
  const removed = changes.filter(([, value]) => value === null).map(([name]) => `#${name}`);
  const expected = conditions.map(([name]) => `#${name} = :expected_${name}`);
  const names = new Set([...changes, ...conditions].map(([name]) => name));
  const values = [
    ...changes.filter(([, value]) => value !== null).map(([name, value]) => [`:${name}`, value]),
    ...conditions.map(([name, value]) => [`:expected_${name}`, value]),
  ];
  const expressions = [
    ...(set.length > 0 ? [`SET ${set.join(", ")}`] : []),
    ...(removed.length > 0 ? [`REMOVE ${removed.join(", ")}`] : []),
  ];
  if (expressions.length === 0) return find(id);
  try {
    const { Attributes } = await withTransientErrors("Change an endpoint", () =>
      dynamoDocuments.send(
        new UpdateCommand({
          TableName: setting("WEBHOOKS_TABLE"),
          Key: { id },
          UpdateExpression: expressions.join(" "),
          ConditionExpression: ["attribute_exists(id)", ...expected].join(" AND "),
          ExpressionAttributeNames: Object.fromEntries([...names].map((name) => [`#${name}`, name])),
          ...(values.length > 0 && { ExpressionAttributeValues: Object.fromEntries(values) }),
          ReturnValues: "ALL_NEW",
        }),
      ),
    );
    return endpointItem.parse(Attributes);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
}

/** The document client refuses `undefined`, at any depth. */
function withoutAbsent(endpoint: Endpoint): Record<string, unknown> {
  return Object.fromEntries(Object.entries(endpoint).filter(([, value]) => value !== undefined));
}
