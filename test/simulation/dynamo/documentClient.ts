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

/** What a service may do to a request beyond what it asks for. */
export interface Disturbance {
  readonly reasons?: (reasons: CancellationReason[]) => CancellationReason[];
  readonly unprocessed?: () => boolean;
}

/** Does what a command asks for, at one moment. */
type Request = (model: DynamoModel, disturbance?: Disturbance) => object;

/**
 * A command of the document client against the model: translated to the wire and back as the client does it, with the
 * client's own options.
 *
 * @param token what the SDK puts into a transaction that has no token of its own; the same for every attempt of one send
 */
export function prepare(command: unknown, translation: Translation, token: string): Request {
  // The client sets these two in the options that it was given; here they are what a whole item needs.
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
