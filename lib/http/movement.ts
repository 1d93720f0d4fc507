import type { Context } from "aws-lambda";
import type * as z from "zod/mini";
import type { Actor } from "../domain/command.ts";
import { AMOUNT_PROBLEMS } from "../domain/money.ts";
import type { RejectionCode } from "../domain/rejection.ts";
import type { Transaction } from "../domain/transaction.ts";
import type { LedgerStore } from "../ledger/ports.ts";
import {
  awaitOutcome,
  type Refusal,
  type Request,
  type Submission,
  type SubmissionProblem,
  type SubmitPorts,
  type Submitted,
} from "../ledger/submit.ts";
import type { TransferStatus } from "../ledger/transferStatus.ts";
import { actorOf, type Permissions } from "./permissions.ts";
import { HttpProblem, PROBLEMS } from "./problem.ts";
import { readIdempotencyKey, readJson, readUserId, readWaitSeconds } from "./request.ts";
import { jsonResponse, type Response } from "./response.ts";
import { type Caller, callerOf, type HttpEvent } from "./route.ts";
import {
  type Details,
  type PromisedView,
  type TransactionView,
  transactionId,
  userId as userIdSchema,
} from "./schemas.ts";
import { promisedView, transactionView } from "./views.ts";

/** One movement over HTTP: its POST route and its part of the OpenAPI document. */
export interface MovementSpecification<Body extends Details = Details> {
  readonly type: Request["type"];
  readonly path: `/v1/users/{userId}/${string}`;
  readonly permissions: Permissions;
  /** What the path's `{id}`, or `refersTo` in a batch, is the id of, if there is one. */
  readonly refersTo?: "hold" | "transaction";
  readonly body: z.ZodMiniType<Body> & { readonly shape: z.core.$ZodLooseShape };
  /** @param referred the transaction that the command refers to */
  toRequest(body: Body, referred: Transaction | undefined): Request;
  /** Why a submission can be refused, except for a reused key. */
  readonly problems: readonly SubmissionProblem[];
  /** The rejections that the command can end with. */
  readonly rejections: readonly RejectionCode[];
  readonly operationId: string;
  readonly summary: string;
}

/** The problems of an amount with its currency. */
export const MONEY_PROBLEMS = ["unknown_currency", ...AMOUNT_PROBLEMS] as const;

/**
 * Reads a submission.
 *
 * @throws HttpProblem for a caller that is not allowed, and for a path, a header or a body that is not valid
 */
export async function readSubmission(
  event: HttpEvent,
  context: Context,
  movement: MovementSpecification,
  store: Pick<LedgerStore, "findTransaction">,
): Promise<Submission> {
  const caller = callerOf(event);
  const referred = checkReferred(caller, movement, movement.refersTo && (await findInPath(event, store)));
  const actor = actorOf(caller, movement.permissions, referred);
  const userId = readUserId(event);
  const idempotencyKey = readIdempotencyKey(event);
  // The response needs the wait, but an invalid one is refused before anything is stored.
  readWaitSeconds(event);
  const body = readJson(event, movement.body);
  return submissionOf(movement, { caller, actor, userId, idempotencyKey, body, referred, context });
}

/**
 * Checks what a command refers to.
 *
 * @throws HttpProblem `not_found`
 */
export function checkReferred(
  { isOwner, isAdmin }: Caller,
  { refersTo }: MovementSpecification,
  found: Transaction | undefined,
): Transaction | undefined {
  const referred = refersTo === "hold" && found?.type !== "hold" ? undefined : found;
  if (refersTo && !referred && (isOwner || isAdmin)) throw new HttpProblem("not_found");
  return referred;
}

interface SubmissionParts {
  readonly caller: Caller;
  readonly actor: Exclude<Actor, "ledger">;
  readonly userId: string;
  readonly idempotencyKey: string;
  readonly body: Details;
  /** The transaction that the command refers to. */
  readonly referred: Transaction | undefined;
  readonly context: Context;
}

export function submissionOf(
  { toRequest }: MovementSpecification,
  { caller, actor, userId, idempotencyKey, body, referred, context }: SubmissionParts,
): Submission {
  return {
    userId,
    actor,
    ...(actor === "counterparty" && { counterpartyId: caller.userId }),
    idempotencyKey,
    request: toRequest(body, referred),
    reference: body.reference,
    metadata: body.metadata,
    requestId: context.awsRequestId,
  };
}

/** The transaction of the path's user and `{id}`, if both are valid: an unchecked key could be too long for the store. */
export async function findInPath(
  { pathParameters }: HttpEvent,
  store: Pick<LedgerStore, "findTransaction">,
): Promise<Transaction | undefined> {
  const [user, id] = [userIdSchema.safeParse(pathParameters?.userId), transactionId.safeParse(pathParameters?.id)];
  return user.success && id.success ? store.findTransaction(user.data, id.data) : undefined;
}

/**
 * Responds to a submission with 202 and the current state of the transaction. With `Prefer: wait` it waits for the
 * decision, and until money that it sent to another wallet is credited or returned: 201 if posted, 422 if rejected, 202 if
 * the time was over first.
 *
 * @throws HttpProblem for a submission that is not accepted, and for an awaited rejection
 */
export async function respondToSubmission(
  event: HttpEvent,
  { actor }: Submission,
  submitted: Submitted,
  ports: Pick<SubmitPorts, "store" | "clock">,
): Promise<Response> {
  if (!submitted.accepted) throw notAccepted(submitted);
  const waitSeconds = readWaitSeconds(event) ?? 0;
  const { transaction, transferStatus, isFinal } = await awaitOutcome(submitted.transaction, waitSeconds * 1000, ports);
  const view = submissionView(actor, transaction, transferStatus);
  const headers = {
    location: `/v1/users/${encodeURIComponent(transaction.userId)}/transactions/${transaction.id}`,
    ...(submitted.replayed && { "idempotency-replayed": "true" }),
    ...(waitSeconds > 0 && { "preference-applied": `wait=${waitSeconds}` }),
  };
  if (waitSeconds === 0 || !isFinal) return jsonResponse(202, view, headers);
  if (view.rejection) throw new HttpProblem(view.rejection.code, { headers, members: { transaction: view } });
  return jsonResponse(201, view, headers);
}

/** A transaction as the one who asked for it sees it. */
export function submissionView(
  actor: Actor,
  transaction: Transaction,
  transferStatus: TransferStatus | undefined,
): TransactionView | PromisedView {
  return (actor === "counterparty" ? promisedView : transactionView)(transaction, transferStatus);
}

/** @param pointerTo pointer to the command in the body */
export function notAccepted({ problem, at }: Refusal, pointerTo = ""): HttpProblem {
  const pointer = at.map((member) => `/${member}`).join("");
  return new HttpProblem(
    problem,
    pointer ? { errors: [{ pointer: `${pointerTo}${pointer}`, detail: PROBLEMS[problem].title }] } : {},
  );
}
