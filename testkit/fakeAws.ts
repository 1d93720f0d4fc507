import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { listen } from "../localstack/tcp.ts";

export const CREDENTIALS = { accessKeyId: "AKIDFAKE", secretAccessKey: "secret of the fake" };
/** DynamoDB and SQS accept a signature for so long before and after its time. */
const SIGNATURE_VALID_MS = 5 * 60_000;

export interface ReceivedRequest {
  /** As received: the request line, then the headers. */
  readonly head: string;
  readonly body: string;
  /** With names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The number of the connection, from 0. */
  readonly connection: number;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
}

/** Answers a request; a fault may use the response, or its socket, itself. */
export type Fault = (response: ServerResponse) => void;

interface Options {
  /** Gets the request's number, from 0. An object without a body answers `{}`. */
  readonly answer?: (request: ReceivedRequest, index: number) => Answer | Fault | Promise<Answer | Fault>;
  /** By access key id. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** How far the server's clock is ahead of ours. */
  readonly clockAheadMs?: number;
  /** What it answers if a request's time is not the clock's. */
  readonly skewError?: string;
  readonly tls?: { readonly key: string; readonly cert: string };
}

interface FakeAws {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** Connections that are open, and the most that were at the same time. */
  readonly connections: { open: number; max: number };
}

/**
 * Answers as DynamoDB, SQS and SNS do: it checks the signature and the time of each request, which no local engine does,
 * and records the request as it is received. Ends with the test.
 */
export async function fakeAwsForTest({
  answer = () => ({}),
  secrets = { [CREDENTIALS.accessKeyId]: CREDENTIALS.secretAccessKey },
  clockAheadMs = 0,
  skewError = "InvalidSignatureException",
  tls,
}: Options = {}): Promise<FakeAws> {
  const requests: ReceivedRequest[] = [];
  const connections = { open: 0, max: 0 };
  const received = new WeakMap<Socket, { number: number; chunks: Buffer[] }>();
  let connectionsTotal = 0;

  const respond = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    await buffer(incoming);
    const connection = received.get(incoming.socket);
    if (!connection) throw new Error("A request of an unknown connection");
    const raw = Buffer.concat(connection.chunks.splice(0));
    const bodyStart = raw.indexOf("\r\n\r\n") + 4;
    const head = raw.toString("utf8", 0, bodyStart - 4);
    const body = raw.toString("utf8", bodyStart);
    const request = { head, body, headers: parseHeaders(head), connection: connection.number };
    const index = requests.push(request) - 1;
    const now = Date.now() + clockAheadMs;
    const refusal = checkTime(request, now, skewError) ?? checkSignature(raw, request, secrets);
    const answered = refusal ?? (await answer(request, index));
    if (typeof answered === "function") return answered(outgoing);
    const { status = 200, headers } = answered;
    // Node's own date does not follow a test's clock.
    outgoing.sendDate = false;
    const text = typeof answered.body === "string" ? answered.body : JSON.stringify(answered.body ?? {});
    outgoing.writeHead(status, {
      ...{ date: new Date(now).toUTCString(), "x-amzn-requestid": `request-${index}` },
      ...{ "content-length": Buffer.byteLength(text), ...headers },
    });
    outgoing.end(text);
  };

  const server = tls ? createTlsServer(tls) : createServer();
  server.on("request", (incoming, outgoing) => {
    respond(incoming, outgoing).catch((error) => outgoing.destroy(error));
  });
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    const chunks: Buffer[] = [];
    received.set(socket, { number: connectionsTotal++, chunks });
    connections.max = Math.max(connections.max, ++connections.open);
    socket.on("data", (chunk) => chunks.push(chunk)).once("close", () => connections.open--);
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `${tls ? "https" : "http"}://127.0.0.1:${port}`, requests, connections };
}

export function failure(status: number, type: string, members: object = {}): Answer {
  return { status, body: { __type: type, ...members } };
}

function checkTime({ headers }: ReceivedRequest, now: number, skewError: string): Answer | undefined {
  const signedAt = headers["x-amz-date"]?.replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5");
  if (signedAt && Math.abs(now - Date.parse(signedAt)) <= SIGNATURE_VALID_MS) return undefined;
  return failure(400, skewError, { message: `The time of the signature is ${signedAt}` });
}

/** With the algorithm of AWS's documentation, and nothing of lib/aws/transport, which is tested with it. */
function checkSignature(
  raw: Buffer,
  { head, headers }: ReceivedRequest,
  secrets: Readonly<Record<string, string>>,
): Answer | undefined {
  const [method, path] = head.split(" ");
  const [, keyId = "", day = "", region = "", service = "", signed = "", signature] =
    /^AWS4-HMAC-SHA256 Credential=(.+)\/(\d{8})\/(.+)\/(.+)\/aws4_request, SignedHeaders=(.+), Signature=(.+)$/.exec(
      headers.authorization ?? "",
    ) ?? [];
  const secret = secrets[keyId];
  if (secret === undefined) return failure(400, "UnrecognizedClientException", { message: "The key is unknown" });

  const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
  const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();
  const names = signed.split(";");
  const lines = names.map((name) => `${name}:${headers[name]?.replace(/\s+/g, " ")}\n`);
  const bodyHash = sha256(raw.subarray(raw.indexOf("\r\n\r\n") + 4));
  const canonical = `${method}\n${path}\n\n${lines.join("")}\n${signed}\n${bodyHash}`;
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${headers["x-amz-date"]}\n${scope}\n${sha256(canonical)}`;
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), "aws4_request");
  // SNS has its operation in the body.
  const required = ["host", "x-amz-date", ...(service === "sns" ? [] : ["x-amz-target"])];
  const isComplete = required.every((name) => names.includes(name));
  if (isComplete && hmac(key, toSign).toString("hex") === signature) return undefined;
  return failure(400, "InvalidSignatureException", { message: "The signature does not match" });
}

function parseHeaders(head: string): Record<string, string> {
  const lines = head.split("\r\n").slice(1);
  return Object.fromEntries(
    lines.map((line) => [line.split(":")[0]?.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
}
