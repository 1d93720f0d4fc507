import { Agent, request } from "node:http";

/** A client that costs little: what the bench spends on itself is taken from what it measures. */
export class BenchClient {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(apiUrl: string, connections: number) {
    this.#port = Number(new URL(apiUrl).port);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** @returns status 0 when the connection broke */
  send(
    method: "GET" | "POST",
    path: string,
    token: string,
    body?: string,
    idempotencyKey?: string,
  ): Promise<{ status: number; location: string | undefined }> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "idempotency-key": idempotencyKey,
      }),
    };
    return new Promise((resolve) => {
      const sent = request(
        { host: "127.0.0.1", port: this.#port, agent: this.#agent, method, path, headers },
        (answer) => {
          answer.resume();
          answer.once("end", () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location }));
        },
      );
      sent.once("error", () => resolve({ status: 0, location: undefined }));
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
