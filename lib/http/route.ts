import middy, { type MiddlewareObj } from "@middy/core";
import httpRouter from "@middy/http-router";
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";
import { TransientError } from "../ledger/ports.ts";
import { publishMetrics, record } from "../runtime/metrics.ts";
import { logger } from "../runtime/telemetry.ts";
import { ADMIN_SCOPE, authenticate } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";
import { readUserId } from "./request.ts";
import { problemResponse, type Response } from "./response.ts";

export type HttpEvent = APIGatewayProxyEventV2;
type Middleware = MiddlewareObj<HttpEvent, Response>;

/** Who calls a route below `/v1/users/{userId}`. */
export interface Caller {
  /** The user of the token. */
  readonly userId: string;
  /** True for the wallet's own user. */
  readonly isOwner: boolean;
  /** True for the scope `wallets:admin`. */
  readonly isAdmin: boolean;
}

const callers = new WeakMap<HttpEvent, Caller>();

/** A route without authentication. */
export function publicRoute() {
  return middy<HttpEvent, Response>().use(requestLog()).use(problems());
}

/** A route below `/v1/users/{userId}`, for the wallet's own user and for operators. */
export function userRoute() {
  return authenticatedRoute().use(authorize());
}

/** A route below `/v1/users/{userId}` whose handler decides who may call it. */
export function authenticatedRoute() {
  return publicRoute().use(identify());
}

/** A route for operators only. */
export function adminRoute() {
  return authenticatedRoute().use(requireAdmin());
}

type Handler = (event: HttpEvent, context: Context) => Promise<Response>;

/** A function with several routes: each request goes to the one that API Gateway chose. */
export function routes(table: Parameters<typeof httpRouter<HttpEvent, Response>>[0]): Handler {
  const route = httpRouter<HttpEvent, Response>(table);
  return (event, context) => route(withRoutePath(event), context);
}

/**
 * The router compares the path of the request, which has a prefix where a custom domain maps one to the API. The route
 * that API Gateway chose has none.
 */
function withRoutePath(event: HttpEvent): HttpEvent {
  const [, path = ""] = event.routeKey.split(" ");
  const { requestContext } = event;
  return { ...event, requestContext: { ...requestContext, http: { ...requestContext.http, path } } };
}

/**
 * The caller of an {@link authenticatedRoute}.
 *
 * @throws Error in other routes
 */
export function callerOf(event: HttpEvent): Caller {
  const caller = callers.get(event);
  if (!caller) throw new Error("The route does not authenticate its callers");
  return caller;
}

/** One log entry and one measurement per request. The client and the queue get the request id of the log entry too. */
function requestLog(): Middleware {
  const startedAtMs = new WeakMap<HttpEvent, number>();
  const finish: NonNullable<Middleware["after"]> = ({ event, context, response }) => {
    const requestId = context.awsRequestId;
    const route = event.routeKey;
    const durationMs = performance.now() - (startedAtMs.get(event) ?? 0);
    const { statusCode: status = 500, headers } = response ?? {};
    const transactionId = /tx_[^/]+$/.exec(String(headers?.location ?? ""))?.[0];
    logger.info("request", { requestId, transactionId, route, status, durationMs: Math.round(durationMs) });
    record("RequestDuration", durationMs / 1000, { route, status: `${Math.floor(status / 100)}xx` });
    publishMetrics();
    if (response) response.headers = { "x-request-id": requestId, ...headers };
  };
  return {
    before({ event }) {
      startedAtMs.set(event, performance.now());
    },
    after: finish,
    onError: finish,
  };
}

/** Responds to an error with problem details. Only the log has the cause of a 5xx. */
function problems(): Middleware {
  return {
    onError(request) {
      const { error, context } = request;
      request.response = problemResponse(toProblem(error, context.awsRequestId), context.awsRequestId);
    },
  };
}

/** The problem of an error. One of the service itself is logged. */
export function toProblem(error: unknown, requestId: string): HttpProblem {
  const problem =
    error instanceof HttpProblem
      ? error
      : error instanceof TransientError
        ? new HttpProblem("unavailable", { headers: { "retry-after": "1" } })
        : new HttpProblem("internal_error");
  const { code } = problem;
  if (code === "internal_error" || code === "unavailable") logger.error("request failed", { requestId, code, error });
  return problem;
}

function identify(): Middleware {
  return {
    async before({ event }) {
      const { subject, scopes } = await authenticate(event.headers.authorization);
      const isOwner = event.pathParameters?.userId === subject;
      callers.set(event, { userId: subject, isOwner, isAdmin: scopes.has(ADMIN_SCOPE) });
    },
  };
}

function authorize(): Middleware {
  return {
    before({ event }) {
      const { isOwner, isAdmin } = callerOf(event);
      if (!isOwner && !isAdmin) throw new HttpProblem("forbidden");
      readUserId(event);
    },
  };
}

function requireAdmin(): Middleware {
  return {
    before({ event }) {
      if (callerOf(event).isAdmin) return;
      throw new HttpProblem("forbidden", { detail: `The token does not have the scope ${ADMIN_SCOPE}` });
    },
  };
}
