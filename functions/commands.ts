import httpRouter from "@middy/http-router";
import type { Context } from "aws-lambda";
import { ports } from "../lib/aws/adapters.ts";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { type MovementSpecification, readSubmission, respondToSubmission } from "../lib/http/movement.ts";
import type { Response } from "../lib/http/response.ts";
import { authenticatedRoute, type HttpEvent } from "../lib/http/route.ts";
import { submit } from "../lib/ledger/submit.ts";

const route = httpRouter<HttpEvent, Response>(
  MOVEMENTS.map((movement) => ({ method: "POST", path: movement.path, handler: handlerOf(movement) })),
);

/** Every POST route. */
export const handler = (event: HttpEvent, context: Context): Promise<Response> => route(withRoutePath(event), context);

function handlerOf(movement: MovementSpecification) {
  return authenticatedRoute().handler(async (event, context) => {
    const submission = await readSubmission(event, context, movement, ports.store);
    return respondToSubmission(event, submission, await submit(submission, ports), ports);
  });
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
