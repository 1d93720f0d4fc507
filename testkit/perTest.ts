import { mkdtempSync, rmSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { listen } from "../localstack/tcp.ts";
import { type AwsProxy, startAwsProxy } from "./awsProxy.ts";
import { type Stack, startStack } from "./stack.ts";

/** Resources that end with the test that asks for them. */

export async function stackForTest(environment: Readonly<Record<string, string>> = {}): Promise<Stack> {
  const stack = await startStack(environment);
  onTestFinished(() => stack.stop().then(() => {}));
  return stack;
}

export function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), "antler-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @returns the port that the server listens on */
export async function listenForTest(server: Server | HttpServer, port = 0): Promise<number> {
  onTestFinished(() => {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
  return listen(server, port);
}

/** One endpoint for a stack's SQS and DynamoDB. */
export async function awsProxyForTest({ environment }: Pick<Stack, "environment">, port = 0): Promise<AwsProxy> {
  const { AWS_PORT, DYNAMODB_PORT } = environment;
  const proxy = await startAwsProxy({ sqsPort: AWS_PORT, dynamoPort: DYNAMODB_PORT, port });
  onTestFinished(() => proxy.stop());
  return proxy;
}
