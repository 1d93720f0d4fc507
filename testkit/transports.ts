import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";
import { onTestFinished, vi } from "vitest";
import type { Transport } from "../lib/aws/transport/directTransport.ts";
import { type HttpTimeouts, sdkHandlerOptions } from "../lib/aws/transport/httpHandler.ts";
import { createTransport } from "../lib/aws/transport/transport.ts";
import { CREDENTIALS } from "./fakeAws.ts";

/** The values of AWS_TRANSPORT. */
export const TRANSPORTS = ["sdk", "direct"] as const;
export type TransportName = (typeof TRANSPORTS)[number];

const TIMEOUTS = { connectMs: 10_000, requestMs: 10_000 };
const defaults = { region: "eu-central-1", credentials: CREDENTIALS };

export function dynamoForTest(name: TransportName, options: DynamoDBClientConfig, timeouts: HttpTimeouts = TIMEOUTS) {
  return transportForTest(
    new DynamoDBClient({ ...defaults, ...options, requestHandler: sdkHandlerOptions(timeouts) }),
    name,
    "dynamodb",
    timeouts,
  );
}

export function sqsForTest(name: TransportName, options: SQSClientConfig, timeouts: HttpTimeouts = TIMEOUTS) {
  return transportForTest(
    new SQSClient({ ...defaults, ...options, requestHandler: sdkHandlerOptions(timeouts) }),
    name,
    "sqs",
    timeouts,
  );
}

function transportForTest<Client extends DynamoDBClient | SQSClient>(
  client: Client,
  name: TransportName,
  signingName: "dynamodb" | "sqs",
  timeouts: HttpTimeouts,
): { client: Client; transport: Transport } {
  vi.stubEnv("AWS_TRANSPORT", name);
  const transport = createTransport(client, signingName, timeouts);
  onTestFinished(() => client.destroy());
  return { client, transport };
}
