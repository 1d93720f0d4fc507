import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { TIMEOUTS } from "./timeouts.ts";
import { sdkHandlerOptions } from "./transport/httpHandler.ts";
import { createTransport } from "./transport/transport.ts";

const bounds = { maxAttempts: 2, requestHandler: sdkHandlerOptions(TIMEOUTS) };

export const dynamoClient = new DynamoDBClient(bounds);

/** Sends the commands of client-dynamodb. */
export const dynamo = createTransport(dynamoClient, "dynamodb", TIMEOUTS);

export const sqs = createTransport(new SQSClient(bounds), "sqs", TIMEOUTS);
