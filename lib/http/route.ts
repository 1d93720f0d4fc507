import middy, { type MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type { Actor } from "../domain/command.ts";
import { TransientError } from "../ledger/ports.ts";
import { publishMetrics, record } from "../runtime/metrics.ts";
import { logger } from "../runtime/telemetry.ts";
import { ADMIN_SCOPE, authenticate } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";
import { readUserId } from "./request.ts";
import { problemResponse, type Response } from "./response.ts";

export type HttpEvent = APIGatewayProxyEventV2;
type Middleware = MiddlewareObj<HttpEvent, Response>;

/** Who may call a route: the wallet's owner, or a caller with the scope `wallets:admin`. */
export type CallerRole = Extract<Actor, "owner" | "admin">;

const callers = new WeakMap<HttpEvent, CallerRole>();

/** A route without authentication. */
export function publicRoute() {
  return middy<HttpEvent, Response>().use(requestLog()).use(problems());
}

/** A route below `/v1/users/{userId}`. */
export function userRoute(roles: readonly CallerRole[] = ["owner", "admin"]) {
  return publicRoute().use(authorize(roles));
}

/**
 * The role in which the caller of a {@link userRoute} is allowed to call it.
 *
 * @throws Error in other routes
 */
export function callerOf(event: HttpEvent): CallerRole {
  const caller = callers.get(event);
  if (!caller) throw new Error("The route does not authorize its callers");
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
      const problem = toProblem(error);
      if (problem.code === "internal_error" || problem.code === "unavailable") {
        logger.error("request failed", { requestId: context.awsRequestId, code: problem.code, error });
      }
      request.response = problemResponse(problem, context.awsRequestId);
    },
  };
}

function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof TransientError) return new HttpProblem("unavailable", { headers: { "retry-after": "1" } });
  return new HttpProblem("internal_error");
}

function authorize(roles: readonly CallerRole[]): Middleware {
  return {
    async before({ event }) {
      const { subject, scopes } = await authenticate(event.headers.authorization);
      const isAllowed = {
        owner: event.pathParameters?.userId === subject,
        admin: scopes.has(ADMIN_SCOPE),
      };
      const caller = roles.find((role) => isAllowed[role]);
      if (!caller) throw new HttpProblem("forbidden");
      callers.set(event, caller);
      readUserId(event);
    },
  };
}
