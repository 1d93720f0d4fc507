import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";

interface Response {
  readonly status: number;
  readonly location: string | undefined;
  /** In the results of a batch. */
  readonly problems: number;
}

/** Uses little CPU time, which the measured stack would lack: parses only what the local stack's responses contain. */
export class BenchClient {
  readonly #port: number;
  readonly #idle: Connection[];
  readonly #waiting: ((connection: Connection) => void)[] = [];

  constructor(apiUrl: string, connections: number) {
    this.#port = Number(new URL(apiUrl).port);
    this.#idle = Array.from({ length: connections }, () => ({ received: "", respond: () => {} }));
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
    const connection = this.#idle.pop() ?? (await new Promise<Connection>((free) => this.#waiting.push(free)));
    connection.received = "";
    connection.socket ??= this.#open(connection);
    const response = await new Promise<Response>((respond) => {
      connection.respond = respond;
      connection.socket?.write(`${head}${body ? ofBody : ""}\r\n${json}`);
    });
    const next = this.#waiting.shift();
    if (next) next(connection);
    else this.#idle.push(connection);
    return response;
  }

  /** Closes the connections, none of which may be in use. */
  close(): void {
    for (const { socket } of this.#idle) socket?.destroy();
  }

  #open(connection: Connection): Socket {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true }).setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      connection.received += chunk;
      const response = parse(connection.received);
      if (response) connection.respond(response);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      delete connection.socket;
      connection.respond({ status: 0, location: undefined, problems: 0 });
    });
    return socket;
  }
}

/** Opened by its first request, and again by the next one after it broke. */
interface Connection {
  socket?: Socket;
  received: string;
  respond: (response: Response) => void;
}

/** @returns `undefined` until the response is complete */
function parse(received: string): Response | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  const head = received.slice(0, Math.max(headEnd, 0));
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const isComplete = length ? received.length >= headEnd + 4 + Number(length) : received.endsWith("\r\n0\r\n\r\n");
  if (headEnd < 0 || !isComplete) return undefined;
  const problems = received.split('"problem":').length - 1;
  return { status: Number(head.slice(9, 12)), location: /\r\nlocation: ([^\r]+)/i.exec(head)?.[1], problems };
}
