import type { Context } from "aws-lambda";
import type * as z from "zod/mini";
import type { RejectionCode } from "../domain/rejection.ts";
import {
  awaitOutcome,
  type Submission,
  type SubmissionProblem,
  type SubmitPorts,
  type Submitted,
} from "../ledger/submit.ts";
import { HttpProblem, PROBLEMS } from "./problem.ts";
import { readIdempotencyKey, readJson, readUserId, readWaitSeconds } from "./request.ts";
import { jsonResponse, type Response } from "./response.ts";
import { type CallerRole, callerOf, type HttpEvent } from "./route.ts";
import { transactionView } from "./views.ts";

/** One movement of money over HTTP: its POST route and its part of the OpenAPI document. */
export interface MovementSpecification<Body = unknown> {
  readonly path: `/v1/users/{userId}/${string}`;
  readonly callers: readonly CallerRole[];
  readonly body: z.ZodMiniType<Body>;
  toSubmission(body: Body): Omit<Submission, "userId" | "actor" | "idempotencyKey" | "requestId">;
  /** The rejections that the command can end with. */
  readonly rejections: readonly RejectionCode[];
  readonly operationId: string;
  readonly summary: string;
}

/** @throws HttpProblem for a header or a body that is not valid */
export function readSubmission(event: HttpEvent, context: Context, movement: MovementSpecification): Submission {
  const idempotencyKey = readIdempotencyKey(event);
  // The response needs the wait, but an invalid one is refused before anything is stored.
  readWaitSeconds(event);
  return {
    ...movement.toSubmission(readJson(event, movement.body)),
    userId: readUserId(event),
    actor: callerOf(event),
    idempotencyKey,
    requestId: context.awsRequestId,
  };
}

/**
 * Responds to a submission with 202 and the current state of the transaction. With `Prefer: wait` it waits for the
 * decision: 201 if posted, 422 if rejected, 202 if still pending.
 *
 * @throws HttpProblem for a submission that is not accepted, and for an awaited rejection
 */
export async function respondToSubmission(
  event: HttpEvent,
  submitted: Submitted,
  ports: Pick<SubmitPorts, "store" | "clock">,
): Promise<Response> {
  if (!submitted.accepted) throw notAccepted(submitted.problem);
  const waitSeconds = readWaitSeconds(event);
  const transaction = waitSeconds
    ? await awaitOutcome(submitted.transaction, waitSeconds * 1000, ports)
    : submitted.transaction;

  const view = transactionView(transaction);
  const headers = {
    location: `/v1/users/${encodeURIComponent(transaction.userId)}/transactions/${transaction.id}`,
    ...(submitted.replayed && { "idempotency-replayed": "true" }),
    ...(waitSeconds && { "preference-applied": `wait=${waitSeconds}` }),
  };
  if (waitSeconds && view.rejection) {
    throw new HttpProblem(view.rejection.code, { headers, members: { transaction: view } });
  }
  return jsonResponse(waitSeconds && view.status === "posted" ? 201 : 202, view, headers);
}

/** The field of the body that a problem is about. */
const POINTERS: Record<SubmissionProblem, string | undefined> = {
  unknown_currency: "/currency",
  amount_invalid: "/amount",
  amount_scale: "/amount",
  amount_zero: "/amount",
  amount_limit: "/amount",
  idempotency_key_reused: undefined,
};

function notAccepted(problem: SubmissionProblem): HttpProblem {
  const pointer = POINTERS[problem];
  return new HttpProblem(problem, pointer ? { errors: [{ pointer, detail: PROBLEMS[problem].title }] } : {});
}
