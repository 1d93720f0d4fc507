import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";

interface Response {
  readonly status: number;
  readonly location: string | undefined;
}

const CONNECTION_BROKEN: Response = { status: 0, location: undefined };

/**
 * An HTTP client that uses little CPU time, because it shares the machine with the stack that it measures. It parses only what
 * the local stack's responses contain, and keeps its connections open.
 */
export class BenchClient {
  readonly #port: number;
  readonly #sockets = new Map<Socket, (response: Response) => void>();
  readonly #idle: (Socket | undefined)[];
  readonly #waiting: ((socket: Socket | undefined) => void)[] = [];

  constructor(apiUrl: string, connections: number) {
    this.#port = Number(new URL(apiUrl).port);
    this.#idle = Array.from({ length: connections });
  }

  /**
   * Posts the body under a new idempotency key; without a body, gets the path. Waits for a free connection.
   *
   * @returns status 0 when the connection broke
   */
  async send(path: string, token: string, body?: object): Promise<Response> {
    const json = body ? JSON.stringify(body) : "";
    const head = `${body ? "POST" : "GET"} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n`;
    const ofBody = `content-type: application/json\r\nidempotency-key: ${randomUUID()}\r\ncontent-length: ${json.length}\r\n`;
    const free =
      this.#idle.length > 0
        ? this.#idle.pop()
        : await new Promise<Socket | undefined>((resolve) => this.#waiting.push(resolve));
    const socket = free && this.#sockets.has(free) ? free : this.#connect();
    const response = await new Promise<Response>((resolve) => {
      this.#sockets.set(socket, resolve);
      socket.write(`${head}${body ? ofBody : ""}\r\n${json}`);
    });
    const next = this.#waiting.shift();
    if (next) next(socket);
    else this.#idle.push(socket);
    return response;
  }

  close(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk;
      const response = parse(received);
      if (!response) return;
      received = "";
      this.#sockets.get(socket)?.(response);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.get(socket)?.(CONNECTION_BROKEN);
      this.#sockets.delete(socket);
    });
    return socket;
  }
}

/** @returns `undefined` until the response is complete */
function parse(received: string): Response | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = received.slice(0, headEnd);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const isComplete =
    length === undefined ? received.endsWith("\r\n0\r\n\r\n") : received.length >= headEnd + 4 + Number(length);
  return isComplete
    ? { status: Number(head.slice(9, 12)), location: /\r\nlocation: ([^\r]+)/i.exec(head)?.[1] }
    : undefined;
}
