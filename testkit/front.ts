import { once } from "node:events";
import { createServer, request } from "node:http";
import { onTestFinished } from "vitest";
import type { Stack } from "./stack.ts";

/**
 * One endpoint for a stack's SQS and DynamoDB, as LocalStack has it, until the test ends.
 *
 * @returns its address
 */
export async function startFrontOf({ environment }: Stack, port = 0): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const isDynamo = String(incoming.headers["x-amz-target"]).startsWith("DynamoDB");
    const { method, headers, url: path } = incoming;
    const to = isDynamo ? environment.DYNAMODB_PORT : environment.AWS_PORT;
    const forwarded = request({ host: "127.0.0.1", port: to, method, headers, path }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}
