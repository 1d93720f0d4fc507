import type { Context } from "aws-lambda";
import {
  awaitOutcome,
  type Submission,
  type SubmissionProblem,
  type SubmitPorts,
  type Submitted,
} from "../ledger/submit.ts";
import { HttpProblem } from "./problem.ts";
import { readIdempotencyKey, readJson, readUserId, readWaitSeconds } from "./request.ts";
import { jsonResponse, type Response } from "./response.ts";
import type { HttpEvent } from "./route.ts";
import { movementBody } from "./schemas.ts";
import { transactionView } from "./views.ts";

/** What every movement of money asks for; its function adds the type. */
export function readMovement(event: HttpEvent, context: Context): Omit<Submission, "type"> {
  const idempotencyKey = readIdempotencyKey(event);
  // Read again for the answer; what is wrong with it must be found before anything is stored.
  readWaitSeconds(event);
  const { currency, amount, reference, metadata } = readJson(event, movementBody);
  return {
    userId: readUserId(event),
    idempotencyKey,
    currency,
    amount,
    reference,
    metadata,
    requestId: context.awsRequestId,
  };
}

/**
 * Answers a submission: 202 with the transaction as it stands; or with `Prefer: wait`, once it is decided, 201 posted or
 * 422 rejected.
 */
export async function answerMovement(
  event: HttpEvent,
  submitted: Submitted,
  ports: Pick<SubmitPorts, "store" | "clock">,
): Promise<Response> {
  if (!submitted.accepted) throw refusal(submitted.problem);
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
    const { code, detail } = view.rejection;
    throw new HttpProblem(code, { detail, headers, members: { transaction: view } });
  }
  return jsonResponse(waitSeconds && view.status === "posted" ? 201 : 202, view, headers);
}

function refusal(problem: SubmissionProblem): HttpProblem {
  switch (problem) {
    case "unknown_currency":
      return new HttpProblem(problem, { errors: [{ pointer: "/currency", detail: "is not a currency to use here" }] });
    case "amount_invalid":
    case "amount_scale":
    case "amount_zero":
    case "amount_limit":
      return new HttpProblem(problem, { errors: [{ pointer: "/amount", detail: AMOUNT_DETAILS[problem] }] });
    case "idempotency_key_reused":
      return new HttpProblem(problem);
  }
}

const AMOUNT_DETAILS = {
  amount_invalid: 'must be a plain decimal such as "12.34"',
  amount_scale: "has more decimals than the currency",
  amount_zero: "must be above zero",
  amount_limit: "has more than 38 digits in minor units",
};
