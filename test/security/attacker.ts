import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { inject } from "vitest";
import { problemSchema } from "../../lib/http/schemas.ts";
import { issueToken } from "../../localstack/identityProvider.ts";

/** What an attacker does who is not bound to any HTTP client's manners. */

export interface RawResponse {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** The answer as it came, and all that came behind it. */
  readonly text: string;
}

type Headers = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

const api = new URL(inject("apiUrl"));
const ANSWER_MS = 20_000;

/** A connection to the API, for requests that no client would send. */
export function dial() {
  return connect(Number(api.port || 80), api.hostname);
}

/** Sends bytes as they are, and reads until the server closes the connection. An empty text means that it only did that. */
export async function sendBytes(bytes: string | Uint8Array): Promise<string> {
  const socket = dial();
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`No end of the answer: ${text.slice(0, 500)}`)));
  socket.write(bytes);
  try {
    await once(socket, "close");
  } catch (error) {
    // A server that refuses a request may close while the rest of it is still on its way.
    if (text === "" || !(error instanceof Error && "code" in error)) throw error;
  } finally {
    socket.destroy();
  }
  return text;
}

/** One request on a connection of its own. Path, names and values go over the wire as they are, byte for byte. */
export async function attack(
  method: string,
  path: string,
  headers: Headers = {},
  body?: string | Uint8Array,
): Promise<RawResponse> {
  const given = Array.isArray(headers) ? headers : Object.entries(headers);
  const content = Buffer.from(body ?? "");
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${api.host}`,
    "Connection: close",
    ...(body === undefined ? [] : [`Content-Length: ${content.byteLength}`]),
    ...given.map(([name, value]) => `${name}: ${value}`),
  ];
  return parseResponse(await sendBytes(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), content])));
}

export function parseResponse(text: string): RawResponse {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  if (!status) throw new Error(`Not an answer: ${text.slice(0, 200)}`);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status, headers, body: Buffer.from(rest.join("\r\n\r\n"), "latin1").toString(), text };
}

/** True for an answer of ours. Node's HTTP server and serverless-offline's hapi answer some requests before our code. */
export function isOurs({ headers }: RawResponse): boolean {
  return headers.has("x-request-id");
}

/** The code of the problem in an answer of ours, after its status. */
export function codeOf(answer: RawResponse): string {
  if (answer.headers.get("content-type") !== "application/problem+json") return `${answer.status}`;
  return `${answer.status} ${problemSchema.parse(JSON.parse(answer.body)).code}`;
}

/** A token as the local stack's provider would make it for a user. */
export function tokenOf(user: string, scope?: string): Promise<string> {
  return issueToken({ subject: user, scope, issuer: "antler-local", audience: "antler" });
}

export async function bearer(user: string, scope?: string): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await tokenOf(user, scope)}` };
}

/** A server of the attacker's, that must never be asked for anything. */
export async function startTrap(answer: unknown) {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/keys.json`,
    requests: () => requests,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
