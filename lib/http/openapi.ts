import * as z from "zod/mini";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathItemObject,
  type ZodOpenApiResponseObject,
} from "zod-openapi";
import { ADMIN_SCOPE } from "./authenticate.ts";
import { BATCH_PATH } from "./batch.ts";
import { hold } from "./commands/hold.ts";
import { MOVEMENTS } from "./commands/index.ts";
import type { MovementSpecification } from "./movement.ts";
import { PROBLEMS, type ProblemCode } from "./problem.ts";
import { WAIT_SECONDS_MAX } from "./request.ts";
import {
  balancesQuery,
  balancesSchema,
  batchMembers,
  batchSchema,
  currenciesSchema,
  eventSchema,
  healthSchema,
  historyQuery,
  historySchema,
  holdsQuery,
  IDEMPOTENCY_KEY,
  openApi,
  problemSchema,
  promisedSchema,
  statementQuery,
  statementSchema,
  transactionId,
  transactionSchema,
  userId,
} from "./schemas.ts";
import {
  endpointBody,
  endpointId,
  endpointPatch,
  endpointSchema,
  endpointsSchema,
  newEndpointSchema,
  rotatedSecretSchema,
  testEventSchema,
} from "./webhooks.ts";

/**
 * Generates the OpenAPI document from the schemas. No function imports this file: they serve
 * docs/reference/openapi.json, which `npm run openapi` writes.
 */

const requestIdHeader = {
  "X-Request-Id": z.string().register(openApi, { header: { description: "Id of the request, also in the logs" } }),
};
const challengeHeader = {
  "WWW-Authenticate": z.string().register(openApi, {
    example: 'Bearer realm="antler", error="invalid_token"',
    header: { description: "RFC 6750 challenge" },
  }),
};
const retryAfterHeader = {
  "Retry-After": z
    .string()
    .register(openApi, { example: "1", header: { description: "Seconds to wait before a retry" } }),
};
const locationHeader = {
  Location: z.string().register(openApi, { header: { description: "Path of the transaction" } }),
};
const rejectedLocation = z
  .optional(z.string())
  .register(openApi, { header: { description: "Path of the rejected transaction" } });
const submissionHeaders = {
  "Idempotency-Replayed": z.optional(z.literal("true")).register(openApi, {
    header: {
      description: "The Idempotency-Key was used before; the response has the current state of its transaction",
    },
  }),
  "Preference-Applied": z
    .optional(z.string())
    .register(openApi, { example: "wait=5", header: { description: "The wait that the API applied" } }),
};

const idempotencyKey = z
  .string()
  .check(z.regex(IDEMPOTENCY_KEY))
  .register(openApi, {
    example: "order-1001",
    param: {
      id: "Idempotency-Key",
      description:
        "Your own key for this movement, 1 to 255 printable ASCII characters without a comma or outer spaces. One key moves money at most " +
        "once and never expires: after a timeout or a 5xx, send the same request again.",
    },
  });
const prefer = z.optional(z.string()).register(openApi, {
  example: "wait=5",
  param: {
    id: "Prefer",
    description: `RFC 7240: \`wait=N\` waits up to N seconds, 1 to ${WAIT_SECONDS_MAX}, for the outcome; at most one wait`,
  },
});

type Responses = Record<string, ZodOpenApiResponseObject | { readonly $ref: string }>;

const sharedResponses: Record<string, ZodOpenApiResponseObject> = {};

/** Makes a response a component of the document. */
function share(id: string, response: ZodOpenApiResponseObject): { readonly $ref: string } {
  sharedResponses[id] = response;
  return { $ref: `#/components/responses/${id}` };
}

function json(schema: z.ZodMiniType, description: string, headers: z.core.$ZodShape = {}): ZodOpenApiResponseObject {
  return {
    description,
    headers: z.object({ ...headers, ...requestIdHeader }),
    content: { "application/json": { schema } },
  };
}

const statementPage = json(statementSchema, "A page of the statement", {
  Link: z.optional(z.string()).register(openApi, {
    example: '<?currency=USD&cursor=x>; rel="next"',
    header: { description: "URL of the next page, relative to this one; only with `Accept: text/csv`" },
  }),
});
const statementResponse: ZodOpenApiResponseObject = {
  ...statementPage,
  content: { ...statementPage.content, "text/csv": { schema: z.string() } },
};

const PROBLEM_HEADERS: Readonly<Record<number, z.core.$ZodShape>> = { 401: challengeHeader, 503: retryAfterHeader };

function problem(
  status: number,
  codes: readonly ProblemCode[],
  headers = PROBLEM_HEADERS[status],
): ZodOpenApiResponseObject {
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("\n\n"),
    headers: z.object({ ...headers, ...requestIdHeader }),
    content: {
      "application/problem+json": {
        schema: { allOf: [{ $ref: "#/components/schemas/Problem" }, { properties: { code: { enum: [...codes] } } }] },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  };
}

/** One response per status, with every code that it can have. A response with a single code is a component. */
function problems(...codes: readonly ProblemCode[]): Responses {
  const responses: Responses = {};
  for (const [status, these] of Map.groupBy(codes, (code) => PROBLEMS[code].status)) {
    const [code, ...others] = these;
    const response = problem(status, these);
    responses[status] = code && others.length === 0 ? share(code, response) : response;
  }
  return responses;
}

const examples = Object.fromEntries(
  Object.entries(PROBLEMS).map(([code, { status, title }]) => {
    const type = `urn:antler:problem:${code}`;
    const value = { type, title, status, detail: title, code, requestId: "5c1ba9a2-4ac0-4f4b-9a0b-7a4d3b1c2e8f" };
    return [code, { value: value satisfies z.input<typeof problemSchema> }];
  }),
);

const COMMON_RESPONSES: Responses = {
  // API Gateway sends this response itself, without problem details.
  429: share("too_many_requests", {
    description: "API Gateway throttles the request: retry later",
    content: { "application/json": { schema: z.strictObject({ message: z.string() }) } },
  }),
  ...problems("internal_error"),
};

/** As the wallet's owner sees it, or as the other user of a promised hold does. */
const ownOrPromised = z.union([transactionSchema, promisedSchema]);

/** The responses to a submission that are the same for all movements. */
const SUBMISSION_RESPONSES: Responses = {
  201: share("posted", json(ownOrPromised, "Posted, with `Prefer: wait`", { ...locationHeader, ...submissionHeaders })),
  202: share("accepted", json(ownOrPromised, "Accepted", { ...locationHeader, ...submissionHeaders })),
  400: share(
    "invalid_submission",
    problem(400, ["malformed_json", "idempotency_key_required", "idempotency_key_invalid", "prefer_invalid"]),
  ),
  ...problems("payload_too_large", "unsupported_media_type"),
};

/** An operation without authentication. */
function publicOperation({ responses, ...operation }: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  return { ...operation, security: [], responses: { ...COMMON_RESPONSES, ...responses } };
}

/** An operation below `/v1/users/{userId}`. Its own 422, if any, has `validation_failed` among its codes. */
function userOperation({
  requestParams,
  responses,
  ...operation
}: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  return {
    ...operation,
    security: [{ bearer: [] }],
    requestParams: { path: z.object({ userId }), ...requestParams },
    responses: {
      ...COMMON_RESPONSES,
      ...problems("unauthorized", "forbidden", "validation_failed", "unavailable"),
      ...responses,
    },
  };
}

/** An operation of the webhook endpoints, for operators. */
function endpointOperation({ responses, ...operation }: ZodOpenApiOperationObject): ZodOpenApiOperationObject {
  const body = operation.requestBody ? problems("malformed_json", "payload_too_large", "unsupported_media_type") : {};
  return {
    ...operation,
    tags: ["Webhooks"],
    security: [{ bearer: [] }],
    responses: { ...COMMON_RESPONSES, ...problems("unauthorized", "forbidden", "unavailable"), ...body, ...responses },
  };
}

const oneEndpoint = { path: z.object({ id: endpointId }) };
const endpointResponse = json(endpointSchema, "The endpoint");
const endpointLocation = {
  Location: z.string().register(openApi, { header: { description: "Path of the endpoint" } }),
};

function jsonBody(schema: z.ZodMiniType): NonNullable<ZodOpenApiOperationObject["requestBody"]> {
  return { required: true, content: { "application/json": { schema } } };
}

function movementPath(movement: MovementSpecification): ZodOpenApiPathItemObject {
  const { refersTo, body, rejections, operationId, summary } = movement;
  const codes: ProblemCode[] = [...movement.problems, ...rejections];
  return {
    post: userOperation({
      operationId,
      summary,
      tags: ["Movements"],
      requestParams: {
        ...(refersTo && { path: z.object({ userId, id: transactionId }) }),
        header: z.object({ "Idempotency-Key": idempotencyKey, Prefer: prefer }),
      },
      requestBody: jsonBody(body),
      responses: {
        ...SUBMISSION_RESPONSES,
        ...(refersTo && problems("not_found")),
        422: problem(422, ["validation_failed", ...codes, "idempotency_key_reused"], {
          Location: rejectedLocation,
          ...submissionHeaders,
        }),
      },
    }),
  };
}

/** The commands of a batch, by type. */
const batchCommands = MOVEMENTS.map(({ type, refersTo, body }) =>
  z
    .strictObject({
      ...z.pick(z.object(batchMembers), { userId: true, idempotencyKey: true }).shape,
      type: z.literal(type),
      ...(refersTo && {
        refersTo: transactionId
          .clone()
          .register(openApi, { description: `The \`id\` of the ${refersTo}, of the same user` }),
      }),
      ...body.shape,
    })
    .register(openApi, { id: `Batched${pascalCase(type)}` }),
);

function pascalCase(type: string): string {
  return type.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const batchPath: ZodOpenApiPathItemObject = {
  post: {
    operationId: "batch",
    summary: "Send up to 100 commands",
    description:
      "For operators. The commands are independent of each other: each has its own key and its own result, in the order of the request, " +
      "with the status that it would have as a request of its own. Commands of one user are decided in their order; when " +
      "one is answered with a 5xx, the user's later ones are too. Send the same batch again to complete it.",
    tags: ["Movements"],
    security: [{ bearer: [] }],
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({ commands: z.array(z.union(batchCommands)).check(z.minLength(1), z.maxLength(100)) }),
        },
      },
    },
    responses: {
      ...COMMON_RESPONSES,
      200: json(batchSchema, "The results"),
      ...problems(
        "malformed_json",
        "unauthorized",
        "forbidden",
        "payload_too_large",
        "unsupported_media_type",
        "validation_failed",
        "unavailable",
      ),
    },
  },
};

/** The content of docs/reference/openapi.json. */
export const openApiDocument = createDocument(
  {
    openapi: "3.1.1",
    info: {
      title: "Antler",
      version: "1.0.0",
      description:
        "A multi-currency wallet ledger: deposits, withdrawals, transfers, holds, exchanges, reversals, balances, statements and a " +
        "verifiable history. Amounts are exact decimal strings. Errors are RFC 9457 problem details with a stable `code`.",
    },
    // Relative to the URL of this document, which may have a prefix.
    servers: [{ url: "." }],
    tags: [
      {
        name: "Movements",
        description:
          "Commands that move money. The API stores and queues a command and responds with 202. The ledger processes a " +
          "user's commands in the order in which it accepted them. With `Prefer: wait=N` the response is the outcome: 201 " +
          "if posted, 422 with the `transaction` in the problem if rejected, 202 if still pending. Money for another user is " +
          "in transit until the other wallet is credited, or until it comes back; the wait includes that.",
      },
      { name: "Wallets", description: "Balances, history and statements of a user" },
      { name: "Events", description: "What is published of every decision" },
      {
        name: "Webhooks",
        description:
          "Endpoints that receive an event of every decision, signed as Standard Webhooks says. For tokens with the scope " +
          `\`${ADMIN_SCOPE}\`. docs/guides/webhooks.md shows how to receive events.`,
      },
      { name: "Reference", description: "Data that all users share" },
      { name: "Service", description: "About this API" },
    ],
    components: {
      headers: {
        ...requestIdHeader,
        ...challengeHeader,
        ...retryAfterHeader,
        ...locationHeader,
        RejectedLocation: rejectedLocation,
        ...submissionHeaders,
      },
      schemas: { Problem: problemSchema },
      examples,
      responses: sharedResponses,
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: `A token whose \`sub\` is the user, or one with the scope \`${ADMIN_SCOPE}\` for any user`,
        },
      },
    },
    webhooks: {
      event: {
        post: {
          operationId: "event",
          summary: "A decision",
          description:
            "Every decision is published at least once to an SNS FIFO topic, each user's in order. The message is this document; its " +
            "attributes `type`, `status` and `currency` are those of the transaction. Docs: docs/guides/events.md.",
          tags: ["Events"],
          security: [],
          requestBody: { required: true, content: { "application/cloudevents+json": { schema: eventSchema } } },
          responses: { 200: { description: "The subscriber has processed the event" } },
        },
      },
    },
    paths: {
      ...Object.fromEntries(MOVEMENTS.map((movement) => [movement.path, movementPath(movement)])),
      [BATCH_PATH]: batchPath,
      "/v1/users/{userId}/balances": {
        get: userOperation({
          operationId: "balances",
          summary: "Read a user's balances",
          description:
            "All enabled currencies, and disabled ones with a balance. Strongly consistent. With `at` the balances are those " +
            "after the last decision at or before that moment. Such an answer never changes, unless it is `provisional`.",
          tags: ["Wallets"],
          requestParams: { query: balancesQuery },
          responses: { 200: json(balancesSchema, "The balances") },
        }),
      },
      "/v1/users/{userId}/statements": {
        get: userOperation({
          operationId: "statements",
          summary: "Read a user's statement in one currency",
          description:
            "The credits and debits of a period, oldest first. Each page has its own opening and closing balance; the closing " +
            "balance of a page is the opening balance of the next. With `Accept: text/csv` the lines come as CSV, with the URL " +
            "of the next page in the `Link` header.",
          tags: ["Wallets"],
          requestParams: { query: statementQuery },
          responses: {
            200: statementResponse,
            ...problems("invalid_cursor", "validation_failed", "unknown_currency"),
          },
        }),
      },
      "/v1/users/{userId}/transactions": {
        get: userOperation({
          operationId: "transactions",
          summary: "Read a user's history",
          description:
            "All decided transactions, also the rejected ones, newest first. With a filter, a page of a long history " +
            "(10,000 decisions, fewer with much metadata) can be short or empty: continue while there is a `nextCursor`.",
          tags: ["Wallets"],
          requestParams: { query: historyQuery },
          responses: {
            200: json(historySchema, "A page of the history"),
            ...problems("invalid_cursor", "validation_failed", "unknown_currency"),
          },
        }),
      },
      "/v1/users/{userId}/holds": {
        ...movementPath(hold),
        get: userOperation({
          operationId: "holds",
          summary: "List a user's open holds",
          description: "Newest first. A hold that was just made or closed can be missing or shown for a moment.",
          tags: ["Wallets"],
          requestParams: { query: holdsQuery },
          responses: {
            200: json(historySchema, "A page of the open holds"),
            ...problems("invalid_cursor", "validation_failed"),
          },
        }),
      },
      "/v1/users/{userId}/transactions/{id}": {
        get: userOperation({
          operationId: "transaction",
          summary: "Read one transaction",
          description:
            "Also while it is pending. Strongly consistent. The other user of a promised hold can read the hold and its own captures " +
            "and releases of it, without postings, hashes, reference and metadata.",
          tags: ["Wallets"],
          requestParams: { path: z.object({ userId, id: transactionId }) },
          responses: {
            200: json(ownOrPromised, "The transaction in its current state"),
            ...problems("not_found"),
          },
        }),
      },
      "/v1/webhooks": {
        post: endpointOperation({
          operationId: "createEndpoint",
          summary: "Create a webhook endpoint",
          description:
            "At most 20. Only this response has the secret. Events of the next ten seconds may not be delivered.",
          requestBody: jsonBody(endpointBody),
          responses: {
            201: json(newEndpointSchema, "The endpoint and its secret", endpointLocation),
            ...problems("validation_failed", "url_not_allowed", "endpoint_limit"),
          },
        }),
        get: endpointOperation({
          operationId: "endpoints",
          summary: "List the webhook endpoints",
          description: "The oldest first.",
          responses: { 200: json(endpointsSchema, "All endpoints") },
        }),
      },
      "/v1/webhooks/{id}": {
        get: endpointOperation({
          operationId: "endpoint",
          summary: "Read a webhook endpoint",
          requestParams: oneEndpoint,
          responses: { 200: endpointResponse, ...problems("not_found") },
        }),
        patch: endpointOperation({
          operationId: "changeEndpoint",
          summary: "Change a webhook endpoint, disable it or enable it again",
          description: "Deliveries to a disabled endpoint are dropped.",
          requestParams: oneEndpoint,
          requestBody: jsonBody(endpointPatch),
          responses: { 200: endpointResponse, ...problems("not_found", "validation_failed", "url_not_allowed") },
        }),
        delete: endpointOperation({
          operationId: "deleteEndpoint",
          summary: "Delete a webhook endpoint",
          description: "Its deliveries are dropped.",
          requestParams: oneEndpoint,
          responses: {
            204: { description: "Deleted", headers: z.object(requestIdHeader) },
            ...problems("not_found"),
          },
        }),
      },
      "/v1/webhooks/{id}/secret-rotations": {
        post: endpointOperation({
          operationId: "rotateSecret",
          summary: "Give a webhook endpoint a new secret",
          description: "For 24 hours deliveries are signed with both the new secret and the one before it.",
          requestParams: oneEndpoint,
          responses: { 201: json(rotatedSecretSchema, "The new secret"), ...problems("not_found") },
        }),
      },
      "/v1/webhooks/{id}/test-events": {
        post: endpointOperation({
          operationId: "sendTestEvent",
          summary: "Send an event of the type `antler.test` to a webhook endpoint",
          requestParams: oneEndpoint,
          responses: { 202: json(testEventSchema, "Queued"), ...problems("not_found", "endpoint_disabled") },
        }),
      },
      "/v1/currencies": {
        get: publicOperation({
          operationId: "currencies",
          summary: "List the currencies",
          tags: ["Reference"],
          responses: { 200: json(currenciesSchema, "All enabled currencies"), ...problems("unavailable") },
        }),
      },
      "/v1/health": {
        get: publicOperation({
          operationId: "health",
          summary: "Check the health of the service",
          tags: ["Service"],
          responses: { 200: json(healthSchema, "The tables and the queue respond"), ...problems("unavailable") },
        }),
      },
      "/openapi.json": {
        get: publicOperation({
          operationId: "openapi",
          summary: "Read this document",
          tags: ["Service"],
          responses: { 200: json(z.looseObject({ openapi: z.string() }), "An OpenAPI 3.1 document") },
        }),
      },
      "/docs": {
        get: publicOperation({
          operationId: "docs",
          summary: "Open the documentation page",
          tags: ["Service"],
          responses: {
            200: {
              description: "The page",
              headers: z.object(requestIdHeader),
              content: { "text/html": { schema: z.string() } },
            },
          },
        }),
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
