import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { SNSClient } from "@aws-sdk/client-sns";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { directTransport, type Transport } from "./directTransport.ts";
import { createHttpHandler, type HttpTimeouts } from "./httpHandler.ts";
import { createSigner } from "./signer.ts";

/**
 * Gives the client a signer and a request handler that take less CPU time, and sends its commands without its middleware.
 * With the setting `AWS_TRANSPORT=sdk` the client stays as it is, and sends them itself.
 *
 * @throws Error if AWS_TRANSPORT is neither `direct` nor `sdk`
 */
export function createTransport(
  client: DynamoDBClient | SQSClient | SNSClient,
  signingName: "dynamodb" | "sqs" | "sns",
  timeouts: HttpTimeouts,
): Transport {
  const setting = process.env.AWS_TRANSPORT || "direct";
  if (setting === "sdk") return client;
  if (setting !== "direct") throw new Error(`AWS_TRANSPORT=${setting}: must be direct or sdk`);
  const signer = createSigner({
    credentials: client.config.credentials,
    region: client.config.region,
    service: signingName,
  });
  client.config.signer = async () => signer;
  client.config.requestHandler = createHttpHandler(timeouts);
  return directTransport(client, signingName);
}
