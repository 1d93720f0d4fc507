import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { inject } from "vitest";
import { problemSchema } from "../../lib/http/schemas.ts";
import { listen } from "../../localstack/tcp.ts";
import { tokenOf } from "../../testkit/client.ts";

/** Requests that no HTTP client would send. */

export interface RawResponse {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** All bytes that the connection received, later responses included. */
  readonly text: string;
}

type Headers = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

const api = new URL(inject("apiUrl"));
const RESPONSE_MS = 20_000;

/** A connection to the API. */
export function dial() {
  return connect(Number(api.port || 80), api.hostname);
}

/** Sends bytes and reads until the server closes the connection. @returns what it received, which may be nothing */
export async function sendBytes(bytes: string | Uint8Array): Promise<string> {
  const socket = dial();
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.setTimeout(RESPONSE_MS, () => socket.destroy(new Error(`The response does not end: ${text.slice(0, 500)}`)));
  socket.write(bytes);
  try {
    await once(socket, "close");
  } catch (error) {
    // A server may refuse a request and close the connection before it has read all of it.
    if (text === "" || !(error instanceof Error && "code" in error)) throw error;
  } finally {
    socket.destroy();
  }
  return text;
}

/** Sends one request on its own connection; path, names and values are sent byte for byte. */
export async function attack(
  method: string,
  path: string,
  headers: Headers = {},
  body?: string | Uint8Array,
): Promise<RawResponse> {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
  const content = Buffer.from(body ?? "");
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${api.host}`,
    "Connection: close",
    ...(body === undefined ? [] : [`Content-Length: ${content.byteLength}`]),
    ...pairs.map(([name, value]) => `${name}: ${value}`),
  ];
  return parseResponse(
    await sendBytes(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), content])),
  );
}

export function parseResponse(text: string): RawResponse {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  if (!status) throw new Error(`Not a response: ${text.slice(0, 200)}`);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status, headers, body: Buffer.from(rest.join("\r\n\r\n"), "latin1").toString(), text };
}

/** False for a response of Node's HTTP server or of serverless-offline, which refuse some requests before our code runs. */
export function isOurs({ headers }: RawResponse): boolean {
  return headers.has("x-request-id");
}

/** The status, followed by the code if the body is a problem. */
export function codeOf(response: RawResponse): string {
  if (response.headers.get("content-type") !== "application/problem+json") return `${response.status}`;
  return `${response.status} ${problemSchema.parse(JSON.parse(response.body)).code}`;
}

export async function bearer(user: string, scope?: string): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await tokenOf(user, scope)}` };
}

/** The attacker's key server, which must receive no request. */
export async function startTrap(keySet: unknown) {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.setHeader("content-type", "application/json").end(JSON.stringify(keySet));
  });
  return {
    url: `http://127.0.0.1:${await listen(server)}/keys.json`,
    requests: () => requests,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
