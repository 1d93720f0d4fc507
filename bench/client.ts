import { connect, type Socket } from "node:net";

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

/** What is sent to whoever gives the next connection. */
interface Ask {
  readonly text: string;
  answer(answer: Answer): void;
}

const BROKEN: Answer = { status: 0, location: undefined };

/**
 * A client that costs little: what the bench spends on itself is taken from what it measures. It knows as much of HTTP as
 * the local stack's answers need, and keeps its connections open.
 */
export class BenchClient {
  readonly #port: number;
  readonly #connectionsMax: number;
  readonly #idle: Socket[] = [];
  readonly #open = new Set<Socket>();
  readonly #asks = new Map<Socket, Ask>();
  readonly #waiting: Ask[] = [];

  constructor(apiUrl: string, connections: number) {
    this.#port = Number(new URL(apiUrl).port);
    this.#connectionsMax = connections;
  }

  /** @returns status 0 when the connection broke */
  send(method: "GET" | "POST", path: string, token: string, body = "", idempotencyKey = ""): Promise<Answer> {
    const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n`;
    const rest =
      method === "POST"
        ? `content-type: application/json\r\nidempotency-key: ${idempotencyKey}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
        : "";
    return new Promise((answer) => {
      const ask = { text: `${head}${rest}\r\n${body}`, answer };
      const socket = this.#idle.pop() ?? (this.#open.size < this.#connectionsMax ? this.#connect() : undefined);
      if (socket) this.#ask(socket, ask);
      else this.#waiting.push(ask);
    });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk;
      const answer = parse(received);
      if (!answer) return;
      received = "";
      this.#answered(socket, answer);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#open.delete(socket);
      if (this.#idle.includes(socket)) this.#idle.splice(this.#idle.indexOf(socket), 1);
      this.#asks.get(socket)?.answer(BROKEN);
      this.#asks.delete(socket);
      const next = this.#waiting.shift();
      if (next) this.#ask(this.#connect(), next);
    });
    this.#open.add(socket);
    return socket;
  }

  #ask(socket: Socket, ask: Ask): void {
    this.#asks.set(socket, ask);
    socket.write(ask.text);
  }

  #answered(socket: Socket, answer: Answer): void {
    this.#asks.get(socket)?.answer(answer);
    this.#asks.delete(socket);
    const next = this.#waiting.shift();
    if (next) this.#ask(socket, next);
    else this.#idle.push(socket);
  }
}

/** @returns `undefined` for as long as the answer is not whole */
function parse(received: string): Answer | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = received.slice(0, headEnd);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const isWhole =
    length === undefined ? received.endsWith("\r\n0\r\n\r\n") : received.length >= headEnd + 4 + Number(length);
  if (!isWhole) return undefined;
  return { status: Number(head.slice(9, 12)), location: /\r\nlocation: ([^\r]+)/i.exec(head)?.[1] };
}
