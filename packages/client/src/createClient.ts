import type { BatchCommand } from "./commands.ts";
import type { BatchResult, Currency } from "./responses.ts";
import { type ClientOptions, createTransport } from "./transport.ts";
import { type CallOptions, type Wallet, walletOf } from "./wallet.ts";
import { type WebhookEndpoints, webhookEndpointsOf } from "./webhookEndpoints.ts";

export interface Client {
  /** The wallet of a user. Sends nothing: a wallet exists from its first command on. */
  wallet(userId: string): Wallet;
  /**
   * For operators: sends 1 to 100 commands for any wallets, independent of each other.
   *
   * Retries repeat the whole batch, which is safe because each command has its key. A result with a status of 500 or more
   * is returned, not repeated: send the same batch again to complete it.
   *
   * @returns one result for each command, in the same order
   * @throws AntlerError
   */
  batch(commands: readonly BatchCommand[], options?: CallOptions): Promise<readonly BatchResult[]>;
  /** The enabled currencies. Needs no token. @throws AntlerError */
  currencies(options?: CallOptions): Promise<readonly Currency[]>;
  /** Asks once whether the service is healthy. Needs no token. @throws AntlerError `unavailable` if it is not */
  health(options?: CallOptions): Promise<{ readonly status: "ok" }>;
  readonly webhooks: WebhookEndpoints;
}

/**
 * A client of the API.
 *
 * @throws AntlerError `invalid_argument`
 * @example
 * ```ts
 * const client = createClient({ apiUrl: "https://api.example.com", token: () => session.accessToken() });
 * const deposit = await client.wallet("alice").deposit({
 *   currency: "USD",
 *   amount: "100.00",
 *   idempotencyKey: "order-1001",
 *   wait: 5,
 * });
 * if (deposit.status === "rejected") console.log(deposit.rejection?.detail);
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const send = createTransport(options);
  return {
    wallet: (userId) => walletOf(userId, send),
    async batch(commands, { signal } = {}) {
      const answer = await send<{ readonly results: readonly BatchResult[] }>({
        method: "POST",
        path: "/v1/batches",
        body: { commands },
        signal,
      });
      return answer.body.results;
    },
    async currencies({ signal } = {}) {
      const answer = await send<{ readonly data: readonly Currency[] }>({
        method: "GET",
        path: "/v1/currencies",
        isPublic: true,
        signal,
      });
      return answer.body.data;
    },
    async health({ signal } = {}) {
      const call = { method: "GET", path: "/v1/health", isPublic: true, retries: "none", signal } as const;
      return (await send<{ readonly status: "ok" }>(call)).body;
    },
    webhooks: webhookEndpointsOf(send),
  };
}
