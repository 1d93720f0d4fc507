import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { sdkHandlerOptions } from "./transport/httpHandler.ts";
import { createTransport } from "./transport/transport.ts";

/**
 * Limits of every call. Two attempts of 1.5 s end well within the consumer's timeout; the ledger's own retries, the
 * queue's redelivery or the client's retry cover longer failures.
 */
export const TIMEOUTS = { connectMs: 1000, requestMs: 1500 };
const bounds = { maxAttempts: 2, requestHandler: sdkHandlerOptions(TIMEOUTS) };

export const dynamoClient = new DynamoDBClient(bounds);

/** Sends the commands of client-dynamodb. */
export const dynamo = createTransport(dynamoClient, "dynamodb", TIMEOUTS);

export const sqs = createTransport(new SQSClient(bounds), "sqs", TIMEOUTS);
