import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer, type ListenOptions } from "node:net";
import { platform } from "node:process";

const LISTEN = "tracing:net.server.listen:asyncStart";

/** Node takes one new connection in a turn of its loop, and the turns of a busy process are long. */
const ACCEPTORS = 32;

/** More at work at once would only make the calls of each wait for longer than those may take. */
const WORKING_MAX = 64;

/** A line that has stood for this long is no burst: from then on it may only be as long as this. */
const BURST_MAX_MS = 3000;
const STANDING_LINE_MAX = 192;

/** As API Gateway says it, with a hint when to come back. */
const STATUS = 429;
const HEADERS = { "content-type": "application/json", "retry-after": "1" };
const BODY = JSON.stringify({ message: "Too Many Requests" });

/**
 * Bounds the requests that the API has at once, as API Gateway's throttle does, which serverless-offline lacks: without
 * a bound, more requests than the machine can take make every one of them slower for as long as they come. A burst waits
 * for its turn. The server is serverless-offline's own, and this is the moment at which Node shows it.
 */
export function throttle(port: number, requestsAtOnceMax: number): void {
  const bound = (message: unknown) => {
    const { server, options } = message as { server: Server; options: ListenOptions };
    if (options.port !== port) return;
    unsubscribe(LISTEN, bound);
    boundRequests(server, requestsAtOnceMax);
    if (platform === "linux") acceptMore(server, options);
  };
  subscribe(LISTEN, bound);
}

function boundRequests(server: Server, requestsAtOnceMax: number): void {
  const listeners = server.listeners("request") as RequestListener[];
  const line: (() => void)[] = [];
  let here = 0;
  let working = 0;
  let lastIdleMs = 0;

  function take(request: IncomingMessage, response: ServerResponse): void {
    const handle = () => {
      for (const listener of listeners) listener.call(server, request, response);
    };
    if (response.destroyed) return;
    // A body that is slow to come is no work; the server itself bounds how long it may take.
    if (!request.complete) {
      handle();
      return;
    }
    const nowMs = performance.now();
    if (working < WORKING_MAX / 2) lastIdleMs = nowMs;
    const isBurst = nowMs - lastIdleMs < BURST_MAX_MS;
    if (here >= requestsAtOnceMax || (line.length >= STANDING_LINE_MAX && !isBurst)) {
      response.writeHead(STATUS, HEADERS).end(BODY);
      return;
    }
    here++;
    response.once("close", () => here--);
    // Nor is waiting for an outcome.
    if (request.headers.prefer !== undefined) handle();
    else if (working < WORKING_MAX) work(response, handle);
    else line.push(() => work(response, handle));
  }

  function work(response: ServerResponse, handle: () => void): void {
    // Its client may have gone while it stood in line.
    if (response.destroyed) {
      line.shift()?.();
      return;
    }
    working++;
    response.once("close", () => {
      working--;
      line.shift()?.();
    });
    handle();
  }

  server.removeAllListeners("request");
  // By then the parser has seen a body that came together with its head.
  server.on("request", (request, response) => setImmediate(take, request, response));
}

/** A port that is shared takes as many new connections in a turn of the loop as there are servers at it. */
function acceptMore(server: Server, options: ListenOptions): void {
  options.reusePort = true;
  const others = Array.from({ length: ACCEPTORS - 1 }, () =>
    createServer((socket) => server.emit("connection", socket)).listen(options),
  );
  server.once("close", () => {
    for (const other of others) other.close();
  });
}
