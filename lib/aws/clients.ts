import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { toInteger } from "./items.ts";

/**
 * Limits of every call. Two attempts of 1.5 s end well within the consumer's timeout; the ledger's own retries, the
 * queue's redelivery or the client's retry cover longer failures.
 */
const bounds = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1000, requestTimeout: 1500, throwOnRequestTimeout: true },
};

export const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(bounds), {
  marshallOptions: { removeUndefinedValues: true },
  unmarshallOptions: { wrapNumbers: toInteger },
});

export const sqs = new SQSClient(bounds);

// Building the user agent for every call, and a logger without output, take a fifth of a call's CPU time.
for (const { middlewareStack } of [dynamo, sqs]) {
  middlewareStack.remove("getUserAgentMiddleware");
  middlewareStack.remove("loggerMiddleware");
}
