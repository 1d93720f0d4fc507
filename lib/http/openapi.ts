import * as z from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathItemObject,
  type ZodOpenApiResponseObject,
} from "zod-openapi";
import { ADMIN_SCOPE } from "./authenticate.ts";
import { MOVEMENTS } from "./commands/index.ts";
import type { MovementSpecification } from "./movement.ts";
import { PROBLEMS, type ProblemCode } from "./problem.ts";
import { IDEMPOTENCY_KEY, WAIT_SECONDS_MAX } from "./request.ts";
import {
  balancesSchema,
  currenciesSchema,
  healthSchema,
  historyQuery,
  historySchema,
  problemSchema,
  transactionId,
  transactionSchema,
  userId,
} from "./schemas.ts";

/**
 * Generates the OpenAPI document from the schemas. No function imports this file: they serve
 * docs/reference/openapi.json, which `npm run openapi` writes.
 */

const requestIdHeader = z.string().meta({ description: "Id of the request, also in the logs" });
const retryAfterHeader = z.string().meta({ description: "Seconds to wait before a retry", example: "1" });
const challengeHeader = z.string().meta({
  description: "RFC 6750 challenge",
  example: 'Bearer realm="antler", error="invalid_token"',
});
const movementHeaders = {
  Location: z.string().meta({ description: "Path of the transaction" }),
  "Idempotency-Replayed": z.literal("true").optional().meta({
    description: "The Idempotency-Key was used before; the response has the current state of its transaction",
  }),
  "Preference-Applied": z.string().optional().meta({ description: "The wait that the API applied", example: "wait=5" }),
};

const idempotencyKey = z
  .string()
  .regex(IDEMPOTENCY_KEY)
  .meta({
    description:
      "Your own key for this movement, 1 to 255 printable ASCII characters without a comma. One key moves money at most " +
      "once and never expires: after a timeout or a 5xx, send the same request again.",
    example: "order-1001",
  });
const prefer = z
  .string()
  .optional()
  .meta({
    description: `RFC 7240: \`wait=N\` waits up to N seconds, 1 to ${WAIT_SECONDS_MAX}, for the outcome; at most one wait`,
    example: "wait=5",
  });

type Problem = ProblemCode | "too_many_requests";
type Responses = Record<string, ZodOpenApiResponseObject>;

const SUBMISSION_PROBLEMS = [
  "malformed_json",
  "idempotency_key_required",
  "idempotency_key_invalid",
  "prefer_invalid",
  "payload_too_large",
  "unsupported_media_type",
  "validation_failed",
  "unknown_currency",
  "amount_invalid",
  "amount_scale",
  "amount_zero",
  "amount_limit",
  "idempotency_key_reused",
] as const satisfies ProblemCode[];
const USER_PROBLEMS = ["unauthorized", "forbidden", "validation_failed"] as const satisfies ProblemCode[];
const ANY_PROBLEMS = ["too_many_requests", "internal_error"] as const satisfies Problem[];

function json(schema: z.ZodType, description: string, headers: z.ZodRawShape = {}): ZodOpenApiResponseObject {
  return { description, headers: withRequestId(headers), content: { "application/json": { schema } } };
}

/** One response per status, with every code that it can have. */
function problems(codes: readonly Problem[]): Responses {
  const responses: Responses = {};
  const ours = [...new Set(codes)].filter((code) => code !== "too_many_requests");
  for (const status of new Set(ours.map((code) => PROBLEMS[code].status))) {
    const these = ours.filter((code) => PROBLEMS[code].status === status);
    const [only, ...others] = these;
    const shared = only && others.length === 0 ? SHARED.get(only) : undefined;
    responses[status] = shared ?? problem(status, these);
  }
  if (codes.includes("too_many_requests")) responses[429] = THROTTLED;
  return responses;
}

function problem(status: number, codes: readonly ProblemCode[]): ZodOpenApiResponseObject {
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("\n\n"),
    headers: withRequestId(problemHeaders(status)),
    content: {
      "application/problem+json": {
        schema: z.intersection(problemSchema, z.looseObject({ code: z.enum(codes) })),
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  };
}

/** The responses with a single code: components of the document. */
const SHARED = new Map<ProblemCode, ZodOpenApiResponseObject>(
  (["unauthorized", "forbidden", "not_found", "validation_failed", "internal_error", "unavailable"] as const).map(
    (code) => [code, { ...problem(PROBLEMS[code].status, [code]), id: code }],
  ),
);

/** API Gateway sends this response itself, without problem details. */
const THROTTLED: ZodOpenApiResponseObject = {
  id: "too_many_requests",
  description: "API Gateway throttles the request: retry later",
  content: { "application/json": { schema: z.strictObject({ message: z.string() }) } },
};

function problemHeaders(status: number): z.ZodRawShape {
  switch (status) {
    case 401:
      return { "WWW-Authenticate": challengeHeader };
    case 503:
      return { "Retry-After": retryAfterHeader };
    default:
      return {};
  }
}

function withRequestId(headers: z.ZodRawShape): z.ZodObject {
  return z.object({ ...headers, "X-Request-Id": requestIdHeader });
}

function exampleOf(code: ProblemCode): z.input<typeof problemSchema> {
  const { status, title } = PROBLEMS[code];
  return {
    type: `urn:antler:problem:${code}`,
    title,
    status,
    detail: title,
    code,
    requestId: "5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f",
  };
}

interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly tag: "Movements" | "Wallets" | "Reference" | "Service";
}

/** An operation without authentication. */
function publicOperation({ tag, ...texts }: Operation, responses: Responses): ZodOpenApiOperationObject {
  return { ...texts, tags: [tag], security: [], responses };
}

/** An operation below `/v1/users/{userId}`. */
function userOperation({ tag, ...texts }: Operation, responses: Responses): ZodOpenApiOperationObject {
  return {
    ...texts,
    tags: [tag],
    security: [{ bearer: [] }],
    requestParams: { path: z.object({ userId }) },
    responses,
  };
}

function movementPath({ body, rejections, operationId, summary }: MovementSpecification): ZodOpenApiPathItemObject {
  const description =
    "The API stores and queues the command and responds with 202. The ledger processes a user's commands in the order in " +
    "which it accepted them. With `Prefer: wait=N` the response is the outcome: 201 if posted, 422 with the `transaction` " +
    "in the problem if rejected, 202 if still pending.";
  return {
    post: {
      operationId,
      ...userOperation(
        { summary, description, tag: "Movements" },
        {
          201: json(transactionSchema, "Posted, with `Prefer: wait`", movementHeaders),
          202: json(transactionSchema, "Accepted", movementHeaders),
          ...withMovementHeaders(
            problems([...USER_PROBLEMS, ...SUBMISSION_PROBLEMS, ...rejections, ...ANY_PROBLEMS, "unavailable"]),
          ),
        },
      ),
      requestParams: {
        path: z.object({ userId }),
        header: z.object({ "Idempotency-Key": idempotencyKey, Prefer: prefer }),
      },
      requestBody: { required: true, content: { "application/json": { schema: body } } },
    },
  };
}

/** The response to an awaited rejection has the headers of an acceptance too. */
function withMovementHeaders(responses: Responses): Responses {
  const { Location, ...others } = movementHeaders;
  const rejected = responses[422];
  return rejected
    ? { ...responses, 422: { ...rejected, headers: withRequestId({ Location: Location.optional(), ...others }) } }
    : responses;
}

const document = createDocument(
  {
    openapi: "3.1.1",
    info: {
      title: "Antler",
      version: "1.0.0",
      description:
        "A multi-currency wallet ledger: deposits, withdrawals, balances and history. Amounts are exact decimal strings. " +
        "Errors are RFC 9457 problem details with a stable `code`.",
    },
    // Relative to the URL of this document, which may have a prefix.
    servers: [{ url: "." }],
    tags: [
      { name: "Movements", description: "Commands that move money" },
      { name: "Wallets", description: "Balances and history of a user" },
      { name: "Reference", description: "Data that all users share" },
      { name: "Service", description: "About this API" },
    ],
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: `A token whose \`sub\` is the user, or one with the scope \`${ADMIN_SCOPE}\` for any user`,
        },
      },
    },
    paths: {
      ...Object.fromEntries(MOVEMENTS.map((movement) => [movement.path, movementPath(movement)])),
      "/v1/users/{userId}/balances": {
        get: {
          operationId: "balances",
          ...userOperation(
            {
              summary: "Read a user's balances",
              description: "All enabled currencies, and disabled ones with a balance. Strongly consistent.",
              tag: "Wallets",
            },
            {
              200: json(balancesSchema, "The balances"),
              ...problems([...USER_PROBLEMS, ...ANY_PROBLEMS, "unavailable"]),
            },
          ),
        },
      },
      "/v1/users/{userId}/transactions": {
        get: {
          operationId: "transactions",
          ...userOperation(
            {
              summary: "Read a user's history",
              description:
                "All decided transactions, also the rejected ones, newest first. With a filter, a page of a long history " +
                "(10,000 decisions, fewer with much metadata) can be short or empty: continue while there is a `nextCursor`.",
              tag: "Wallets",
            },
            {
              200: json(historySchema, "A page of the history"),
              ...problems(["invalid_cursor", ...USER_PROBLEMS, "unknown_currency", ...ANY_PROBLEMS, "unavailable"]),
            },
          ),
          requestParams: { path: z.object({ userId }), query: historyQuery },
        },
      },
      "/v1/users/{userId}/transactions/{id}": {
        get: {
          operationId: "transaction",
          ...userOperation(
            {
              summary: "Read one transaction",
              description: "Also while it is pending. Strongly consistent.",
              tag: "Wallets",
            },
            {
              200: json(transactionSchema, "The transaction in its current state"),
              ...problems([...USER_PROBLEMS, "not_found", ...ANY_PROBLEMS, "unavailable"]),
            },
          ),
          requestParams: { path: z.object({ userId, id: transactionId }) },
        },
      },
      "/v1/currencies": {
        get: {
          operationId: "currencies",
          ...publicOperation(
            { summary: "List the currencies", tag: "Reference" },
            {
              200: json(currenciesSchema, "All enabled currencies"),
              ...problems([...ANY_PROBLEMS, "unavailable"]),
            },
          ),
        },
      },
      "/v1/health": {
        get: {
          operationId: "health",
          ...publicOperation(
            { summary: "Check the health of the service", tag: "Service" },
            {
              200: json(healthSchema, "The tables and the queue respond"),
              ...problems([...ANY_PROBLEMS, "unavailable"]),
            },
          ),
        },
      },
      "/openapi.json": {
        get: {
          operationId: "openapi",
          ...publicOperation(
            { summary: "Read this document", tag: "Service" },
            {
              200: json(z.looseObject({ openapi: z.string() }), "An OpenAPI 3.1 document"),
              ...problems(ANY_PROBLEMS),
            },
          ),
        },
      },
      "/docs": {
        get: {
          operationId: "docs",
          ...publicOperation(
            { summary: "Open the documentation page", tag: "Service" },
            {
              200: {
                description: "The page",
                headers: withRequestId({}),
                content: { "text/html": { schema: z.string() } },
              },
              ...problems(ANY_PROBLEMS),
            },
          ),
        },
      },
    },
  },
  {
    // zod limits every integer to the safe range, which is no limit of the API.
    override: ({ jsonSchema }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  },
);

/** The text of docs/reference/openapi.json. */
export function printOpenApi(): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
