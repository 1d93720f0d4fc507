import { AntlerError } from "./errors.ts";
import type { WebhookEvent } from "./event.ts";

export interface WebhookRequest {
  /** The body exactly as it arrived, not JSON that was parsed and printed again. */
  readonly body: string | Uint8Array;
  /** A `Headers` object, or those of Node's `IncomingMessage`. */
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The secret of the endpoint, `whsec_…`; during a rotation also the old one. */
  readonly secret: string | readonly string[];
  /** How far the timestamp may be from now; by default 300. */
  readonly toleranceSeconds?: number | undefined;
  /** By default the current time. */
  readonly now?: Date | undefined;
}

/**
 * Verifies a request to a webhook endpoint, as Standard Webhooks says.
 *
 * @returns the event
 * @throws AntlerError `webhook_invalid` for a request that the ledger did not sign, or that is too old; `invalid_argument` for a
 *   bad secret
 * @example
 * ```ts
 * async function receive(request: Request): Promise<Response> {
 *   const body = await request.text();
 *   const event = await verifyWebhook({ body, headers: request.headers, secret });
 *   await store(event);
 *   return new Response(null, { status: 204 });
 * }
 * ```
 */
export async function verifyWebhook(request: WebhookRequest): Promise<WebhookEvent> {
  const { toleranceSeconds = 300, now = new Date() } = request;
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) =>
    header(request, `webhook-${name}`),
  );
  if (!id || !timestamp || !signatures) throw invalid("lacks a header");
  const ageSeconds = now.getTime() / 1000 - (/^\d+$/.test(timestamp) ? Number(timestamp) : Number.NaN);
  if (!(Math.abs(ageSeconds) <= toleranceSeconds)) throw invalid("is too old or too new");

  const body = typeof request.body === "string" ? new TextEncoder().encode(request.body) : request.body;
  const prefix = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(prefix.length + body.length);
  signed.set(prefix);
  signed.set(body, prefix.length);
  const keys = await Promise.all([request.secret].flat().map(importKey));
  for (const [, text = ""] of signatures.matchAll(/(?<!\S)v1,(\S+)/g)) {
    const signature = bytesIn(text);
    for (const key of signature ? keys : []) {
      if (signature && (await crypto.subtle.verify("HMAC", key, signature, signed))) return eventIn(body);
    }
  }
  throw invalid("has no valid signature");
}

function invalid(problem: string): AntlerError {
  return new AntlerError("webhook_invalid", `The webhook request ${problem}`);
}

function header({ headers }: WebhookRequest, name: string): string | undefined {
  if (typeof headers.get === "function") return headers.get(name) ?? undefined;
  const [, value] = Object.entries(headers).find(([each]) => each.toLowerCase() === name) ?? [];
  return value === undefined ? undefined : String(value);
}

function importKey(secret: string) {
  const bytes = bytesIn(secret.replace(/^whsec_/, ""));
  if (!bytes?.length) throw new AntlerError("invalid_argument", "A secret must be whsec_ and base64");
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

/** @returns `undefined` for a text that is not base64 */
function bytesIn(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function eventIn(body: Uint8Array): WebhookEvent {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new AntlerError("webhook_invalid", "The webhook request has no JSON body", { cause });
  }
}
