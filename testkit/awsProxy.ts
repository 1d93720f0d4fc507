import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { buffer } from "node:stream/consumers";
import { listen } from "../localstack/tcp.ts";

export interface AwsCall {
  readonly service: "dynamodb" | "sqs" | "sns";
  /** Such as `PutItem`. */
  readonly operation: string;
  readonly request: Buffer;
  readonly status: number;
  readonly response: Buffer;
}

export interface AwsProxy {
  readonly url: string;
  stop(): void;
}

interface Options {
  /** The engine that takes the calls to SQS and SNS, on the loopback interface. */
  readonly sqsPort: number | string | undefined;
  readonly dynamoPort: number | string | undefined;
  /** Where the proxy listens; any free port by default. */
  readonly port?: number;
  /** Gets every call before its caller gets the response. DynamoDB's responses then say what capacity was consumed. */
  readonly record?: (call: AwsCall) => void;
}

/** One endpoint for an SQS, an SNS and a DynamoDB engine, as LocalStack has it. */
export async function startAwsProxy({ sqsPort, dynamoPort, port, record }: Options): Promise<AwsProxy> {
  const agent = new Agent({ keepAlive: true });

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const body = await buffer(incoming);
    const { service, operation } = callOf(incoming.headers, body);
    const sentBody = record && service === "dynamodb" ? withConsumedCapacity(operation, body) : body;
    const sent = request({
      host: "127.0.0.1",
      port: service === "dynamodb" ? dynamoPort : sqsPort,
      agent,
      method: incoming.method,
      path: incoming.url,
      headers: { ...incoming.headers, "content-length": sentBody.length },
    });
    // A receive whose caller has hung up must not take a message.
    outgoing.once("close", () => sent.destroy());
    sent.on("error", () => outgoing.destroy());
    sent.end(sentBody);
    const [received]: IncomingMessage[] = await once(sent, "response");
    if (!received) throw new Error("A response event without a response");
    const response = await buffer(received);
    const status = received.statusCode ?? 502;
    if (operation !== "") record?.({ service, operation, request: body, status, response });
    outgoing.writeHead(status, received.headers).end(response);
  };

  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const listening = await listen(server, port);
  return {
    url: `http://127.0.0.1:${listening}`,
    stop() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}

/** SNS has the name of the operation in the body. The operation is empty for a request that is no call. */
function callOf(headers: IncomingHttpHeaders, body: Buffer): Pick<AwsCall, "service" | "operation"> {
  if (headers["content-type"]?.startsWith("application/x-www-form-urlencoded")) {
    return { service: "sns", operation: new URLSearchParams(body.toString()).get("Action") ?? "" };
  }
  const [target = "", operation = ""] = String(headers["x-amz-target"] ?? "").split(".");
  return { service: target.startsWith("DynamoDB") ? "dynamodb" : "sqs", operation };
}

/** The local engines check no signature, so the proxy may change a request. */
function withConsumedCapacity(operation: string, body: Buffer): Buffer {
  if (!/(Items?|Query|Scan|Statement)$/.test(operation)) return body;
  return Buffer.from(body.toString().replace("{", '{"ReturnConsumedCapacity":"INDEXES",'));
}
