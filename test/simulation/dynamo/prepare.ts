import {
  BatchGetItemCommand,
  type CancellationReason,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { QueryCommand as QueryDocuments, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { marshall, unmarshall, type unmarshallOptions } from "@aws-sdk/util-dynamodb";
import type { DynamoModel, Item } from "./model.ts";

/** Faults of a call: changed cancellation reasons, unprocessed keys. */
export interface Disturbance {
  readonly reasons?: (reasons: CancellationReason[]) => CancellationReason[];
  readonly unprocessed?: () => boolean;
}

/** Executes a command atomically. */
type Request = (model: DynamoModel, disturbance?: Disturbance) => object;

/**
 * Prepares a command for the model. Those of the document client are translated with its options.
 *
 * @param token the idempotency token that the SDK adds to a transaction without one; equal for all attempts of one send
 */
export function prepare(command: unknown, unmarshallOptions: unmarshallOptions, token: string): Request {
  if (command instanceof PutItemCommand) return (model) => model.put(command.input);
  if (command instanceof UpdateItemCommand) return (model) => model.update(command.input);
  if (command instanceof QueryCommand) return (model) => model.query(command.input);
  if (command instanceof GetItemCommand) return (model) => model.get(command.input);
  if (command instanceof BatchGetItemCommand) {
    return (model, disturbance) => model.batchGet(command.input, disturbance?.unprocessed);
  }
  if (command instanceof TransactWriteItemsCommand) {
    const input = { ClientRequestToken: token, ...command.input };
    return (model, disturbance) => model.transactWrite(input, disturbance?.reasons);
  }

  // The document client sets this option, in the given object, for its own use.
  const fromWire = (item: Item) => unmarshall(item, { ...unmarshallOptions, convertWithoutMapWrapper: false });
  const fromPage = ({ Items, LastEvaluatedKey }: { Items: Item[]; LastEvaluatedKey?: Item }) => ({
    Items: Items.map(fromWire),
    ...(LastEvaluatedKey && { LastEvaluatedKey: fromWire(LastEvaluatedKey) }),
  });
  if (command instanceof QueryDocuments) {
    const {
      ExpressionAttributeValues: values,
      KeyConditions: _,
      QueryFilter: __,
      ExclusiveStartKey: start,
      ...input
    } = command.input;
    const wired = {
      ...input,
      ...(values && { ExpressionAttributeValues: marshall(values) }),
      ...(start && { ExclusiveStartKey: marshall(start) }),
    };
    return (model) => fromPage(model.query(wired));
  }
  if (command instanceof ScanCommand) {
    const { TableName, ExclusiveStartKey: start } = command.input;
    const wired = { TableName, ...(start && { ExclusiveStartKey: marshall(start) }) };
    return (model) => fromPage(model.scan(wired));
  }
  throw new Error("The model does not know this command");
}
