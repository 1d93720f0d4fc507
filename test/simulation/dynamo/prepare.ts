import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type CancellationReason,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { DynamoModel } from "./model.ts";

/** Faults of a call: changed cancellation reasons, unprocessed keys or statements. */
export interface Disturbance {
  readonly reasons?: (reasons: CancellationReason[]) => CancellationReason[];
  readonly unprocessed?: () => boolean;
}

/** Executes a command atomically. */
type Request = (model: DynamoModel, disturbance?: Disturbance) => object;

/**
 * Prepares a command for the model.
 *
 * @param token the idempotency token that the SDK adds to a transaction without one; equal for all attempts of one send
 */
export function prepare(command: unknown, token: string): Request {
  if (command instanceof PutItemCommand) return (model) => model.put(command.input);
  if (command instanceof UpdateItemCommand) return (model) => model.update(command.input);
  if (command instanceof QueryCommand) return (model) => model.query(command.input);
  if (command instanceof GetItemCommand) return (model) => model.get(command.input);
  if (command instanceof BatchGetItemCommand) {
    return (model, disturbance) => model.batchGet(command.input, disturbance?.unprocessed);
  }
  if (command instanceof BatchExecuteStatementCommand) {
    return (model, disturbance) => model.batchExecute(command.input, disturbance?.unprocessed);
  }
  if (command instanceof TransactWriteItemsCommand) {
    const input = { ClientRequestToken: token, ...command.input };
    return (model, disturbance) => model.transactWrite(input, disturbance?.reasons);
  }

  if (command instanceof ScanCommand) return (model) => model.scan(command.input);
  throw new Error("The model does not know this command");
}
