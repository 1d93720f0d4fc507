import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { problemSchema } from "../lib/http/schemas.ts";
import { tokenOf } from "./client.ts";

/**
 * For tests of HTTP itself: sends what `@antler/client` never sends, byte for byte, and shows the whole response. Tests of the
 * ledger use `clientOf`.
 */
export interface RawClient {
  /** Opens a connection to the API. */
  dial(): Socket;
  /**
   * Sends bytes and reads until the server closes the connection.
   *
   * @returns what it received, which may be nothing
   */
  sendBytes(bytes: string | Uint8Array): Promise<string>;
  /** Sends one request on its own connection; path, names and values are sent byte for byte. */
  request(method: string, path: string, headers?: RawHeaders, body?: string | Uint8Array): Promise<RawResponse>;
}

export interface RawResponse {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** All bytes that the connection received, later responses included. */
  readonly text: string;
}

type RawHeaders = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

const RESPONSE_MS = 20_000;

export function rawClient(apiUrl: string): RawClient {
  const { hostname, port, host, protocol, pathname } = new URL(apiUrl);
  const prefix = pathname.replace(/\/$/, "");

  function dial(): Socket {
    return protocol === "https:"
      ? connectTls({ host: hostname, port: Number(port || 443), servername: hostname })
      : connect(Number(port || 80), hostname);
  }

  async function sendBytes(bytes: string | Uint8Array): Promise<string> {
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

  return {
    dial,
    sendBytes,
    async request(method, path, headers = {}, body) {
      const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
      const content = Buffer.from(body ?? "");
      const lines = [
        `${method} ${prefix}${path} HTTP/1.1`,
        `Host: ${host}`,
        "Connection: close",
        ...(body === undefined ? [] : [`Content-Length: ${content.byteLength}`]),
        ...pairs.map(([name, value]) => `${name}: ${value}`),
      ];
      return parseResponse(
        await sendBytes(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), content])),
      );
    },
  };
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

/** The status, followed by the code if the body is a problem. */
export function codeOf(response: RawResponse): string {
  if (response.headers.get("content-type") !== "application/problem+json") return `${response.status}`;
  return `${response.status} ${problemSchema.parse(JSON.parse(response.body)).code}`;
}

export async function bearer(user: string, scope?: string): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await tokenOf(user, scope)}` };
}
