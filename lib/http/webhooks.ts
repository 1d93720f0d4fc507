import * as z from "zod/mini";
import { COMMAND_TYPES } from "../domain/command.ts";
import { setting } from "../runtime/config.ts";
import { ENDPOINT_ID, ENDPOINT_STATUSES, type Endpoint } from "../webhooks/endpoint.ts";
import { checkUrl, URL_LENGTH_MAX } from "../webhooks/url.ts";
import { HttpProblem } from "./problem.ts";
import type { HttpEvent } from "./route.ts";
import { atMost, openApi, text, timestamp } from "./schemas.ts";

/** The schemas of the webhook endpoints, and what requests and responses have of them. */

export const endpointId = z
  .string()
  .check(z.regex(ENDPOINT_ID))
  .register(openApi, {
    id: "EndpointId",
    example: `wh_${"x".repeat(22)}`,
    param: { description: "The `id` of the webhook endpoint" },
  });

const url = z.string("must be a string").check(atMost(URL_LENGTH_MAX)).register(openApi, {
  description: "An https URL with the port 443, without a user name, and with a public host",
  example: "https://example.com/antler",
});
const types = z.array(z.enum(COMMAND_TYPES, `must be ${COMMAND_TYPES.join(", ")}`), "must be an array of types").check(
  z.minLength(1, "must not be empty"),
  z.maxLength(COMMAND_TYPES.length, "must have each type once"),
  z.refine((each) => new Set(each).size === each.length, "must have each type once"),
);
const description = text.check(z.minLength(1, "must not be empty"), atMost(140));
const status = z.enum(ENDPOINT_STATUSES, `must be ${ENDPOINT_STATUSES.join(" or ")}`);

export const endpointBody = z
  .strictObject(
    {
      url,
      types: z
        .optional(types)
        .register(openApi, { description: "The types of transactions to deliver; by default all" }),
      description: z.optional(description),
    },
    "must be a JSON object",
  )
  .register(openApi, { id: "EndpointRequest" });

export const endpointPatch = z
  .strictObject(
    {
      url: z.optional(url),
      types: z.optional(z.nullable(types)).register(openApi, { description: "null for all types" }),
      description: z.optional(z.nullable(description)),
      status: z.optional(status),
    },
    "must be a JSON object",
  )
  .register(openApi, { id: "EndpointChange", description: "What is absent stays as it is" });

const endpoint = {
  id: endpointId,
  url,
  types: z.nullable(types).register(openApi, { description: "null for all types" }),
  description: z.nullable(description),
  status,
  disabledReason: z.nullable(z.string()).register(openApi, {
    description: "Why the ledger disabled the endpoint: `HTTP 410`; null if an operator did",
  }),
  createdAt: timestamp,
  lastSuccess: z
    .nullable(z.strictObject({ at: timestamp }))
    .register(openApi, { description: "The last delivery that succeeded, exact to a minute" }),
  lastFailure: z.nullable(z.strictObject({ at: timestamp, reason: z.string() })).register(openApi, {
    description:
      "The last one that failed, exact to a minute: `HTTP` and the status, `timeout`, or a code such as `ECONNREFUSED`",
  }),
};
const secret = z.string().register(openApi, {
  id: "EndpointSecret",
  description: "Verifies the signatures, as Standard Webhooks says. No other response has it",
  example: `whsec_${"x".repeat(43)}=`,
});

export const endpointSchema = z.strictObject(endpoint).register(openApi, { id: "Endpoint" });
export const newEndpointSchema = z.strictObject({ ...endpoint, secret }).register(openApi, { id: "NewEndpoint" });
export const endpointsSchema = z.strictObject({ data: z.array(endpointSchema) }).register(openApi, { id: "Endpoints" });
export const rotatedSecretSchema = z.strictObject({ secret }).register(openApi, { id: "RotatedSecret" });
export const testEventSchema = z
  .strictObject({
    eventId: z.string().register(openApi, { description: "The `id` of the event" }),
    webhookId: z.string().register(openApi, { description: "The header `webhook-id` of its delivery" }),
  })
  .register(openApi, { id: "TestEvent" });

export type EndpointView = z.infer<typeof endpointSchema>;

export function endpointView({ secrets: _, ...of }: Endpoint): EndpointView {
  return {
    id: of.id,
    url: of.url,
    types: of.types ? [...of.types] : null,
    description: of.description ?? null,
    status: of.status,
    disabledReason: of.disabledReason ?? null,
    createdAt: of.createdAt,
    lastSuccess: of.lastSuccess ?? null,
    lastFailure: of.lastFailure ?? null,
  };
}

/** @throws HttpProblem `not_found` for what can't be an id */
export function readEndpointId({ pathParameters }: HttpEvent): string {
  return endpointId.safeParse(pathParameters?.id).data ?? notFound();
}

export function notFound(): never {
  throw new HttpProblem("not_found");
}

/**
 * Refuses a URL that no delivery would use. What its host resolves to is checked by each delivery.
 *
 * @returns its normal form
 * @throws HttpProblem `url_not_allowed`
 */
export function allowedUrl(text: string): string {
  const checked = checkUrl(text, { allowsLoopback: setting("WEBHOOKS_ALLOW_LOOPBACK") === "true" });
  if (checked instanceof URL) return checked.href;
  throw new HttpProblem("url_not_allowed", { errors: [{ pointer: "/url", detail: checked }] });
}
