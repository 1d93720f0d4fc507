import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer, type ListenOptions } from "node:net";
import { platform } from "node:process";

const LISTEN = "tracing:net.server.listen:asyncStart";

/** Node accepts one new connection per server in a turn of its event loop, and the turns of a busy process are long. */
const ACCEPTORS = 32;

/** With more running requests, the AWS calls of each would wait for longer than their timeout. */
const RUNNING_MAX = 64;

/** The queue is limited to STANDING_QUEUE_MAX requests once it has existed for this long: it is then not a burst. */
const BURST_MAX_MS = 3000;
const STANDING_QUEUE_MAX = 192;

/** API Gateway's response to a throttled request, with a time to retry after. */
const STATUS = 429;
const HEADERS = { "content-type": "application/json", "retry-after": "1" };
const BODY = JSON.stringify({ message: "Too Many Requests" });

/**
 * Limits the concurrent requests of the API, as API Gateway's throttle does: serverless-offline has no limit, and more
 * requests than the machine can process would slow down all of them. A burst waits in a queue.
 *
 * serverless-offline does not expose its server; Node publishes it on this channel when it starts to listen.
 */
export function limitConcurrency(port: number, requestsMax: number): void {
  const onListen = (message: unknown) => {
    const { server, options } = message as { server: Server; options: ListenOptions };
    if (options.port !== port) return;
    unsubscribe(LISTEN, onListen);
    limitRequests(server, requestsMax);
    if (platform === "linux") addAcceptors(server, options);
  };
  subscribe(LISTEN, onListen);
}

function limitRequests(server: Server, requestsMax: number): void {
  const listeners = server.listeners("request") as RequestListener[];
  const queue: (() => void)[] = [];
  let admitted = 0;
  let running = 0;
  let lastIdleMs = 0;

  function admit(request: IncomingMessage, response: ServerResponse): void {
    const handle = () => {
      for (const listener of listeners) listener.call(server, request, response);
    };
    if (response.destroyed) return;
    // A request whose body has not arrived needs no CPU; the server limits how long the body may take.
    if (!request.complete) {
      handle();
      return;
    }
    const nowMs = performance.now();
    if (running < RUNNING_MAX / 2) lastIdleMs = nowMs;
    const isBurst = nowMs - lastIdleMs < BURST_MAX_MS;
    if (admitted >= requestsMax || (queue.length >= STANDING_QUEUE_MAX && !isBurst)) {
      response.writeHead(STATUS, HEADERS).end(BODY);
      return;
    }
    admitted++;
    response.once("close", () => admitted--);
    // A request that waits for an outcome needs no CPU either.
    if (request.headers.prefer !== undefined) handle();
    else if (running < RUNNING_MAX) run(response, handle);
    else queue.push(() => run(response, handle));
  }

  function run(response: ServerResponse, handle: () => void): void {
    // The client may have disconnected while the request was queued.
    if (response.destroyed) {
      queue.shift()?.();
      return;
    }
    running++;
    response.once("close", () => {
      running--;
      queue.shift()?.();
    });
    handle();
  }

  server.removeAllListeners("request");
  // The parser completes a body that arrived with its head before the immediate runs.
  server.on("request", (request, response) => setImmediate(admit, request, response));
}

/** With a shared port, each turn of the event loop accepts one connection for every server on it. */
function addAcceptors(server: Server, options: ListenOptions): void {
  options.reusePort = true;
  const others = Array.from({ length: ACCEPTORS - 1 }, () =>
    createServer((socket) => server.emit("connection", socket)).listen(options),
  );
  server.once("close", () => {
    for (const other of others) other.close();
  });
}
