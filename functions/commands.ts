import httpRouter from "@middy/http-router";
import type { Context } from "aws-lambda";
import { ports } from "../lib/aws/adapters.ts";
import { BATCH_PATH, readBatch, respondToBatch } from "../lib/http/batch.ts";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { type MovementSpecification, readSubmission, respondToSubmission } from "../lib/http/movement.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import type { Response } from "../lib/http/response.ts";
import { adminRoute, authenticatedRoute, type HttpEvent } from "../lib/http/route.ts";
import { submit } from "../lib/ledger/submit.ts";
import { submitBatch } from "../lib/ledger/submitBatch.ts";

const route = httpRouter<HttpEvent, Response>([
  ...MOVEMENTS.map((movement) => ({ method: "POST" as const, path: movement.path, handler: handlerOf(movement) })),
  { method: "POST", path: BATCH_PATH, handler: batchHandler() },
]);

/** Every POST route. */
export const handler = (event: HttpEvent, context: Context): Promise<Response> => route(withRoutePath(event), context);

function handlerOf(movement: MovementSpecification) {
  return authenticatedRoute().handler(async (event, context) => {
    const submission = await readSubmission(event, context, movement, ports.store);
    return respondToSubmission(event, submission, await submit(submission, ports), ports);
  });
}

function batchHandler() {
  return adminRoute().handler(async (event, context) => {
    const read = await readBatch(event, context, ports.store);
    const submissions = read.flatMap((each) => (each instanceof HttpProblem ? [] : [each]));
    return respondToBatch(read, await submitBatch(submissions, ports), context, ports.store);
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
