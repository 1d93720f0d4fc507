import http, { type ClientRequest } from "node:http";
import https from "node:https";
import type { HttpHandlerOptions, HttpRequest, HttpResponse, RequestHandler } from "@smithy/types";

export interface HttpTimeouts {
  /** Until a new connection is established, TLS included. Milliseconds. */
  readonly connectMs: number;
  /** Until the whole response is received, the wait for a free socket included. Milliseconds. */
  readonly requestMs: number;
}

/** The same limits as options of the SDK's own handler. */
export function sdkHandlerOptions({ connectMs, requestMs }: HttpTimeouts) {
  return { connectionTimeout: connectMs, requestTimeout: requestMs, throwOnRequestTimeout: true };
}

/** As many as the SDK's handler uses; further requests wait for a free socket. */
const SOCKETS_MAX = 50;
/** Errors of a connection that the SDK's handler names TimeoutError. */
const CONNECTION_ERRORS = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT"]);

/** A request handler of the SDK for bodies in memory: `node:http` with sockets that are kept alive. */
export function createHttpHandler({
  connectMs,
  requestMs,
}: HttpTimeouts): RequestHandler<HttpRequest, HttpResponse, HttpHandlerOptions> & { destroy(): void } {
  const options = { keepAlive: true, maxSockets: SOCKETS_MAX };
  const plain = { request: http.request, agent: new http.Agent(options), connected: "connect" };
  const tls = { request: https.request, agent: new https.Agent(options), connected: "secureConnect" };

  return {
    metadata: { handlerProtocol: "http/1.1" },
    handle({ protocol, hostname, port, method, path, headers, body }, { abortSignal } = {}) {
      const { request, agent, connected } = protocol === "https:" ? tls : plain;
      return new Promise((resolve, reject) => {
        const sent = request({
          ...{ agent, port, method, path, headers: Object.entries(headers).flat() },
          // Only a URL has an IPv6 address in brackets.
          host: hostname.replace(/^\[|\]$/g, ""),
          ...(abortSignal instanceof AbortSignal && { signal: abortSignal }),
        });
        let hasBegun = false;
        const timer = destroyAfter(requestMs, sent, "The request did not complete");
        const fail = (error: Error) => {
          clearTimeout(timer);
          reject(error);
        };
        sent.on("error", (error) => {
          // After the parser's error in a body, the response has an error of its own: that it is cut.
          if (hasBegun && "bytesParsed" in error) return;
          const isConnectionError = "code" in error && CONNECTION_ERRORS.has(String(error.code));
          fail(isConnectionError ? Object.assign(error, { name: "TimeoutError" }) : error);
        });
        sent.once("socket", (socket) => {
          if (!socket.connecting) return;
          const connectTimer = destroyAfter(connectMs, sent, "The connection was not established");
          const stop = () => clearTimeout(connectTimer);
          socket.once(connected, stop).once("close", stop);
        });
        sent.once("response", (received) => {
          hasBegun = true;
          const { statusCode = 0 } = received;
          const responseHeaders: Record<string, string> = {};
          for (const [name, value] of Object.entries(received.headers)) responseHeaders[name] = String(value);
          const chunks: Buffer[] = [];
          received.on("data", (chunk) => chunks.push(chunk));
          received.once("error", fail);
          received.once("end", () => {
            clearTimeout(timer);
            resolve({ response: { statusCode, headers: responseHeaders, body: Buffer.concat(chunks) } });
          });
        });
        sent.end(body);
      });
    },
    destroy() {
      plain.agent.destroy();
      tls.agent.destroy();
    },
  };
}

function destroyAfter(timeoutMs: number, request: ClientRequest, what: string): NodeJS.Timeout {
  return setTimeout(() => {
    const error = new Error(`${what} within ${timeoutMs} ms`);
    request.destroy(Object.assign(error, { name: "TimeoutError", code: "ETIMEDOUT" }));
  }, timeoutMs);
}
