import { randomBytes } from "node:crypto";
import type { Command } from "../domain/command.ts";
import { type Clock, TransientError } from "../ledger/ports.ts";

/** Where an operator wants events to be delivered. */
export interface Endpoint {
  readonly id: string;
  readonly url: string;
  /** The types of the transactions to deliver; all if absent. */
  readonly types?: readonly Command["type"][] | undefined;
  readonly description?: string | undefined;
  /** The first is the current one. */
  readonly secrets: readonly Secret[];
  readonly status: EndpointStatus;
  /** Why the ledger disabled it; absent if an operator did. */
  readonly disabledReason?: string | undefined;
  /** ISO 8601, UTC, as the other times. */
  readonly createdAt: string;
  readonly lastSuccess?: { readonly at: string } | undefined;
  readonly lastFailure?: { readonly at: string; readonly reason: string } | undefined;
}

/** Signs what is delivered. */
interface Secret {
  /** `whsec_` and the key in base64. */
  readonly secret: string;
  /** Until when it signs, ISO 8601, UTC; absent for the current one. */
  readonly expiresAt?: string | undefined;
}

export const ENDPOINT_STATUSES = ["enabled", "disabled"] as const;
type EndpointStatus = (typeof ENDPOINT_STATUSES)[number];

export const ENDPOINTS_MAX = 20;
export const ENDPOINT_ID = /^wh_[A-Za-z0-9_-]{22}$/;
/** How long a rotated secret signs beside the new one. */
const ROTATED_SECRET_VALID_MS = 24 * 3_600_000;

/** What changes of an endpoint; `null` removes an attribute. */
export type EndpointChange = {
  readonly [Name in "url" | "status" | "secrets" | "lastSuccess" | "lastFailure"]?: Endpoint[Name] | undefined;
} & { readonly [Name in "types" | "description" | "disabledReason"]?: Endpoint[Name] | null };

/** What an endpoint must be for a change to apply. */
export type EndpointCondition = Partial<Pick<Endpoint, "url" | "status" | "secrets">>;

export interface EndpointStore {
  /** Every endpoint, the oldest first. Strongly consistent. */
  list(): Promise<readonly Endpoint[]>;
  /** Strongly consistent. */
  find(id: string): Promise<Endpoint | undefined>;
  /** @returns false if there are {@link ENDPOINTS_MAX} already */
  create(endpoint: Endpoint): Promise<boolean>;
  /**
   * Changes the attributes that the change names, and no others.
   *
   * @returns the endpoint after it; `undefined` if it does not exist, or is not as the condition says
   */
  update(id: string, change: EndpointChange, condition?: EndpointCondition): Promise<Endpoint | undefined>;
  /** @returns false if it does not exist */
  remove(id: string): Promise<boolean>;
}

/** A new endpoint, with the secret that is shown once. */
export function newEndpoint(
  { url, types, description }: Pick<Endpoint, "url" | "types" | "description">,
  clock: Pick<Clock, "now">,
): { readonly endpoint: Endpoint; readonly secret: string } {
  const secret = newSecret();
  const id = `wh_${randomBytes(16).toString("base64url")}`;
  const createdAt = clock.now().toISOString();
  return { endpoint: { id, url, types, description, secrets: [{ secret }], status: "enabled", createdAt }, secret };
}

/**
 * Gives an endpoint a new secret. The one before it is valid for another 24 hours, and those before that end.
 *
 * @returns the new secret; `undefined` if there is no such endpoint
 * @throws TransientError if another rotation came first
 */
export async function rotateSecret(
  id: string,
  { endpoints, clock }: { readonly endpoints: EndpointStore; readonly clock: Pick<Clock, "now"> },
): Promise<string | undefined> {
  const endpoint = await endpoints.find(id);
  if (!endpoint) return undefined;
  const secret = newSecret();
  const expiresAt = new Date(clock.now().getTime() + ROTATED_SECRET_VALID_MS).toISOString();
  const rotated = endpoint.secrets.slice(0, 1).map((current) => ({ secret: current.secret, expiresAt }));
  const change = { secrets: [{ secret }, ...rotated] };
  if (await endpoints.update(id, change, { secrets: endpoint.secrets })) return secret;
  throw new TransientError("Rotate a secret: another change came first");
}

/** The secrets that sign now, the current one first. */
export function validSecrets({ secrets }: Endpoint, clock: Pick<Clock, "now">): readonly string[] {
  const now = clock.now().toISOString();
  return secrets.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now).map(({ secret }) => secret);
}

/** True if an event of a transaction of this type is for the endpoint. */
export function wants({ status, types }: Endpoint, type: Command["type"]): boolean {
  return status === "enabled" && (types === undefined || types.includes(type));
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}
