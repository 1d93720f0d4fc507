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
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface FakeAws {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** Connections that are open, and the most that were at the same time. */
  readonly connections: { open: number; max: number };
}

/**
 * Answers as DynamoDB and SQS do: it checks the signature and the time of each request, which no local engine does,
 * and records the request as it is received. Ends with the test.
 */
export async function fakeAwsForTest({
  answer = () => ({}),
  secrets = { [CREDENTIALS.accessKeyId]: CREDENTIALS.secretAccessKey },
  clockAheadMs = 0,
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
    const request = {
      head: raw.toString("utf8", 0, bodyStart - 4),
      body: raw.toString("utf8", bodyStart),
      headers: parseHeaders(raw.toString("utf8", 0, bodyStart - 4)),
      connection: connection.number,
    };
    const index = requests.push(request) - 1;
    const now = Date.now() + clockAheadMs;
    const refusal = checkSignature(raw, secrets, now);
    const answered = refusal ?? (await answer(request, index));
    if (typeof answered === "function") return answered(outgoing);
    const { status = 200, headers, body = {} } = answered;
    // Node's own date does not follow a test's clock.
    outgoing.sendDate = false;
    const text = typeof body === "string" ? body : JSON.stringify(body);
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
  return { url: `${tls ? "https://localhost" : "http://127.0.0.1"}:${port}`, requests, connections };
}

export function failure(status: number, type: string, members: object = {}): Answer {
  return { status, body: { __type: type, ...members } };
}

/** With the algorithm in AWS's documentation, and nothing of lib/aws/transport, which is tested with it. */
function checkSignature(raw: Buffer, secrets: Readonly<Record<string, string>>, now: number): Answer | undefined {
  const bodyStart = raw.indexOf("\r\n\r\n") + 4;
  const head = raw.toString("utf8", 0, bodyStart - 4);
  const headers = parseHeaders(head);
  const [method, path] = head.split(" ");
  const [, keyId = "", scope = "", signed = "", signature = ""] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), SignedHeaders=(\S+), Signature=(\w{64})$/.exec(
      headers.authorization ?? "",
    ) ?? [];
  const secret = secrets[keyId];
  if (secret === undefined) return failure(400, "UnrecognizedClientException");

  const timestamp = headers["x-amz-date"] ?? "";
  const signedMs = Date.parse(timestamp.replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5"));
  if (Number.isNaN(signedMs) || Math.abs(now - signedMs) > SIGNATURE_VALID_MS) {
    return failure(400, "InvalidSignatureException", { message: `Signature not yet current: ${timestamp}` });
  }

  const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
  const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();
  const lines = signed.split(";").map((name) => `${name}:${headers[name]?.trim().replace(/\s+/g, " ")}\n`);
  const canonical = `${method}\n${path}\n\n${lines.join("")}\n${signed}\n${sha256(raw.subarray(bodyStart))}`;
  const toSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`;
  const [day = "", region = "", service = "", end = ""] = scope.split("/");
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), end);
  if (hmac(key, toSign).toString("hex") === signature && signed.split(";").includes("host")) return undefined;
  return failure(400, "InvalidSignatureException", { message: "The signature does not match" });
}

function parseHeaders(head: string): Record<string, string> {
  const lines = head.split("\r\n").slice(1);
  return Object.fromEntries(
    lines.map((line) => [line.split(":")[0]?.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
}
