import type { AttributeValue, CancellationReason } from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteCommand,
} from "@aws-sdk/lib-dynamodb";
import {
  marshall,
  type marshallOptions,
  type NativeAttributeValue,
  unmarshall,
  type unmarshallOptions,
} from "@aws-sdk/util-dynamodb";
import type { DynamoModel, Item } from "./model.ts";

type Native = Record<string, NativeAttributeValue>;

export interface Translation {
  readonly marshallOptions?: marshallOptions;
  readonly unmarshallOptions?: unmarshallOptions;
}

/** Faults of a call: changed cancellation reasons, unprocessed keys. */
export interface Disturbance {
  readonly reasons?: (reasons: CancellationReason[]) => CancellationReason[];
  readonly unprocessed?: () => boolean;
}

/** Executes a command atomically. */
type Request = (model: DynamoModel, disturbance?: Disturbance) => object;

/**
 * Translates a command of the document client for the model, and the response back, with the client's own options.
 *
 * @param token the idempotency token that the SDK adds to a transaction without one; equal for all attempts of one send
 */
export function prepare(command: unknown, translation: Translation, token: string): Request {
  // The client sets these two for whole items.
  const marshallOptions = { ...translation.marshallOptions, convertTopLevelContainer: false as const };
  const unmarshallOptions = { ...translation.unmarshallOptions, convertWithoutMapWrapper: false };
  const toWire = (native: Native): Item => marshall(native, marshallOptions);
  const fromWire = (item: Record<string, AttributeValue>): Native => unmarshall(item, unmarshallOptions);
  const wireValues = (values: Native | undefined) => values && { ExpressionAttributeValues: toWire(values) };

  if (command instanceof PutCommand) {
    const { Item: native = {}, ExpressionAttributeValues: values, Expected: _, ...input } = command.input;
    const wired = { ...input, Item: toWire(native), ...wireValues(values) };
    return (model) => model.put(wired);
  }
  if (command instanceof GetCommand) {
    const wired = { ...command.input, Key: toWire(command.input.Key ?? {}) };
    return (model) => {
      const { Item } = model.get(wired);
      return Item ? { Item: fromWire(Item) } : {};
    };
  }
  if (command instanceof BatchGetCommand) {
    const tables = Object.entries(command.input.RequestItems ?? {});
    const wired = Object.fromEntries(
      tables.map(([table, { Keys = [], ConsistentRead }]) => [table, { Keys: Keys.map(toWire), ConsistentRead }]),
    );
    return (model, disturbance) => {
      const { Responses, UnprocessedKeys } = model.batchGet({ RequestItems: wired }, disturbance?.unprocessed);
      const read = Object.entries(Responses).map(([table, items]) => [table, items.map(fromWire)]);
      return { Responses: Object.fromEntries(read), UnprocessedKeys };
    };
  }
  if (command instanceof TransactWriteCommand) {
    const items = (command.input.TransactItems ?? []).map(({ Update }) => {
      if (!Update) throw new Error("The model knows only updates in a transaction");
      const { Key = {}, ExpressionAttributeValues: values, ...update } = Update;
      return { Update: { ...update, Key: toWire(Key), ...wireValues(values) } };
    });
    const wired = { TransactItems: items, ClientRequestToken: command.input.ClientRequestToken ?? token };
    return (model, disturbance) => model.transactWrite(wired, disturbance?.reasons);
  }
  if (command instanceof QueryCommand) {
    const {
      ExpressionAttributeValues: values,
      KeyConditions: _,
      QueryFilter: __,
      ExclusiveStartKey: ___,
      ...input
    } = command.input;
    const wired = { ...input, ...wireValues(values) };
    return (model) => fromPage(model.query(wired), fromWire);
  }
  if (command instanceof ScanCommand) {
    const { TableName, ExclusiveStartKey: start } = command.input;
    const wired = { TableName, ...(start && { ExclusiveStartKey: toWire(start) }) };
    return (model) => fromPage(model.scan(wired), fromWire);
  }
  throw new Error("The model does not know this command");
}

function fromPage(
  { Items, LastEvaluatedKey }: { Items: Item[]; LastEvaluatedKey?: Item },
  fromWire: (item: Item) => Native,
) {
  return { Items: Items.map(fromWire), ...(LastEvaluatedKey && { LastEvaluatedKey: fromWire(LastEvaluatedKey) }) };
}
