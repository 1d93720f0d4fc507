import { pathSegment } from "./pathSegment.ts";
import type { TransactionType } from "./transaction.ts";
import type { Call, Send } from "./transport.ts";
import type { CallOptions } from "./wallet.ts";

export interface Endpoint {
  readonly id: string;
  readonly url: string;
  /** The types of transactions that it receives; null for all. */
  readonly types: readonly TransactionType[] | null;
  readonly description: string | null;
  readonly status: "enabled" | "disabled";
  /** Why the ledger disabled the endpoint: `HTTP 410`; null if an operator did. */
  readonly disabledReason: string | null;
  readonly createdAt: string;
  /** The last delivery that succeeded, exact to a minute. */
  readonly lastSuccess: { readonly at: string } | null;
  /** The last one that failed, exact to a minute. */
  readonly lastFailure: { readonly at: string; readonly reason: string } | null;
}

export interface EndpointSecret {
  /** Verifies the signatures: see `verifyWebhook`. No other response has it. */
  readonly secret: string;
}

export interface NewEndpoint extends Endpoint, EndpointSecret {}

export interface EndpointBody {
  /** An https URL with the port 443, without a user name, and with a public host. */
  readonly url: string;
  /** By default all types. */
  readonly types?: readonly TransactionType[] | undefined;
  /** 1 to 140 characters. */
  readonly description?: string | undefined;
}

/** What is absent stays as it is. */
export interface EndpointChange {
  readonly url?: string | undefined;
  /** null for all types. */
  readonly types?: readonly TransactionType[] | null | undefined;
  readonly description?: string | null | undefined;
  readonly status?: "enabled" | "disabled" | undefined;
}

/** Identifies a test event where it arrives. */
export interface SentTestEvent {
  /** The `id` of the event. */
  readonly eventId: string;
  /** The header `webhook-id` of its delivery. */
  readonly webhookId: string;
}

/**
 * The webhook endpoints, for operators. All methods throw an `AntlerError`.
 *
 * `create`, `delete`, `rotateSecret` and `sendTestEvent` have no idempotency key. The client repeats them only if the API
 * throttled them.
 */
export interface WebhookEndpoints {
  create(endpoint: EndpointBody, options?: CallOptions): Promise<NewEndpoint>;
  /** All endpoints, the oldest first; at most 20. */
  list(options?: CallOptions): Promise<readonly Endpoint[]>;
  get(id: string, options?: CallOptions): Promise<Endpoint>;
  update(id: string, change: EndpointChange, options?: CallOptions): Promise<Endpoint>;
  /** Its deliveries are dropped until it is enabled again. */
  disable(id: string, options?: CallOptions): Promise<Endpoint>;
  enable(id: string, options?: CallOptions): Promise<Endpoint>;
  delete(id: string, options?: CallOptions): Promise<void>;
  /** For 24 hours deliveries are signed with both the new secret and the one before it. */
  rotateSecret(id: string, options?: CallOptions): Promise<EndpointSecret>;
  /** Sends an event of the type `antler.test`. */
  sendTestEvent(id: string, options?: CallOptions): Promise<SentTestEvent>;
}

export function webhookEndpointsOf(send: Send): WebhookEndpoints {
  const collection = "/v1/webhooks";
  const pathOf = (id: string) => `${collection}/${pathSegment(id)}`;

  async function call<Body>(of: Call, options: CallOptions = {}): Promise<Body> {
    return (await send<Body>({ ...of, signal: options.signal })).body;
  }

  /** A call without an idempotency key. */
  function callOnce<Body>(
    method: "POST" | "DELETE",
    path: string,
    options?: CallOptions,
    body?: object,
  ): Promise<Body> {
    return call({ method, path, retries: "throttled", ...(body && { body }) }, options);
  }

  const update: WebhookEndpoints["update"] = async (id, body, options) =>
    call({ method: "PATCH", path: pathOf(id), body }, options);

  return {
    create: (body, options) => callOnce("POST", collection, options, body),
    async list(options) {
      const { data } = await call<{ readonly data: readonly Endpoint[] }>({ method: "GET", path: collection }, options);
      return data;
    },
    get: async (id, options) => call({ method: "GET", path: pathOf(id) }, options),
    update,
    disable: (id, options) => update(id, { status: "disabled" }, options),
    enable: (id, options) => update(id, { status: "enabled" }, options),
    delete: async (id, options) => callOnce("DELETE", pathOf(id), options),
    rotateSecret: async (id, options) => callOnce("POST", `${pathOf(id)}/secret-rotations`, options),
    sendTestEvent: async (id, options) => callOnce("POST", `${pathOf(id)}/test-events`, options),
  };
}
