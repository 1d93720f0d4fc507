import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { dynamoClient } from "./clients.ts";
import { toInteger } from "./items.ts";

/**
 * Sends the commands of lib-dynamodb through the SDK's middleware. Apart from clients.ts, so that only the functions of the
 * webhook endpoints, and tools, contain it.
 */
export const dynamoDocuments = DynamoDBDocumentClient.from(dynamoClient, {
  unmarshallOptions: { wrapNumbers: toInteger },
});
// Building the user agent for every call, and a logger without output, take a fifth of a call's CPU time.
dynamoDocuments.middlewareStack.remove("getUserAgentMiddleware");
dynamoDocuments.middlewareStack.remove("loggerMiddleware");
