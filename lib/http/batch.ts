import type { Context } from "aws-lambda";
import type { Transaction } from "../domain/transaction.ts";
import type { LedgerStore, TransactionKey } from "../ledger/ports.ts";
import { ignoreTransientError, type Submission } from "../ledger/submit.ts";
import type { SubmissionResult } from "../ledger/submitBatch.ts";
import { readTransferStatuses } from "../ledger/transferStatus.ts";
import { MOVEMENTS } from "./commands/index.ts";
import { checkReferred, type MovementSpecification, notAccepted, submissionOf, submissionView } from "./movement.ts";
import { actorOf } from "./permissions.ts";
import { HttpProblem, PROBLEMS } from "./problem.ts";
import { BODY_BYTES_MAX, pointerTo, readJson, readMember, tooLarge } from "./request.ts";
import { jsonResponse, problemDetails, type Response } from "./response.ts";
import { callerOf, type HttpEvent, toProblem } from "./route.ts";
import { type BatchView, batchBody, batchCommand, type Details } from "./schemas.ts";

export const BATCH_PATH = "/v1/batches";
const BATCH_BYTES_MAX = 256 * 1024;

/** A valid command of a batch. */
interface BatchedCommand {
  readonly movement: MovementSpecification;
  readonly userId: string;
  readonly idempotencyKey: string;
  readonly refersTo: string | undefined;
  readonly body: Details;
}

/**
 * Reads a batch.
 *
 * @returns for each command in order its submission, or why it is none
 * @throws HttpProblem for a body that is no batch
 * @throws TransientError if what the commands refer to can't be read
 */
export async function readBatch(
  event: HttpEvent,
  context: Context,
  store: Pick<LedgerStore, "findTransactions">,
): Promise<readonly (Submission | HttpProblem)[]> {
  const caller = callerOf(event);
  const { commands } = readJson(event, batchBody, BATCH_BYTES_MAX);
  const read = commands.map((command, index) => orProblem(() => readCommand(command, ["commands", index])));
  const referredOf = await readReferred(read, store);
  return read.map((command) => {
    if (command instanceof HttpProblem) return command;
    return orProblem(() => {
      const { movement, userId } = command;
      // As in a request to the wallet's own routes.
      const own = { ...caller, isOwner: caller.userId === userId };
      const referred = checkReferred(own, movement, referredOf(command));
      const actor = actorOf(own, movement.permissions, referred);
      return submissionOf(movement, { ...command, caller: own, actor, referred, context });
    });
  });
}

function readCommand(value: Readonly<Record<string, unknown>>, path: readonly PropertyKey[]): BatchedCommand {
  if (Buffer.byteLength(JSON.stringify(value)) > BODY_BYTES_MAX) throw tooLarge("command", BODY_BYTES_MAX);
  const { type, userId, idempotencyKey, refersTo, ...others } = readMember(batchCommand, value, path);
  const movement = MOVEMENTS.find((each) => each.type === type);
  if (!movement) throw new Error(`The movements have no ${type}`);
  if ((movement.refersTo !== undefined) !== (refersTo !== undefined)) {
    const detail = movement.refersTo ? `must be the id of the ${movement.refersTo}` : "is not a known field";
    throw new HttpProblem("validation_failed", { errors: [{ pointer: pointerTo([...path, "refersTo"]), detail }] });
  }
  const body = readMember(movement.body, others, path);
  return { movement, userId, idempotencyKey, refersTo, body };
}

/** Reads all that the commands refer to at once. */
async function readReferred(
  commands: readonly (BatchedCommand | HttpProblem)[],
  store: Pick<LedgerStore, "findTransactions">,
): Promise<(command: BatchedCommand) => Transaction | undefined> {
  const nameOf = ({ userId, id }: TransactionKey) => JSON.stringify([userId, id]);
  const keys = new Map<string, TransactionKey>();
  for (const command of commands) {
    if (command instanceof HttpProblem || command.refersTo === undefined) continue;
    const key = { userId: command.userId, id: command.refersTo };
    keys.set(nameOf(key), key);
  }
  const found = keys.size > 0 ? await store.findTransactions([...keys.values()]) : [];
  const byName = new Map(found.map((transaction) => [nameOf(transaction), transaction]));
  return ({ userId, refersTo }) => (refersTo === undefined ? undefined : byName.get(nameOf({ userId, id: refersTo })));
}

function orProblem<T>(read: () => T): T | HttpProblem {
  try {
    return read();
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
}

/** Responds with one result for each command of a batch, in order. */
export async function respondToBatch(
  read: readonly (Submission | HttpProblem)[],
  results: ReadonlyMap<Submission, SubmissionResult>,
  { awsRequestId: requestId }: Context,
  store: Pick<LedgerStore, "findTransactions">,
): Promise<Response> {
  const transactions = [...results.values()].flatMap((result) =>
    result instanceof Error || !result.accepted ? [] : [result.transaction],
  );
  const statuses = await readTransferStatuses(transactions, store).catch(ignoreTransientError);
  const problemOf = (error: unknown) => {
    const problem = toProblem(error, requestId);
    return { status: PROBLEMS[problem.code].status, problem: problemDetails(problem, requestId) };
  };
  const view: BatchView = {
    results: read.map((submission, index) => {
      const result = submission instanceof HttpProblem ? submission : results.get(submission);
      if (submission instanceof HttpProblem || !result || result instanceof Error) return problemOf(result);
      if (!result.accepted) return problemOf(notAccepted(result, `/commands/${index}`));
      const transaction = submissionView(submission.actor, result.transaction, statuses?.get(result.transaction.id));
      return { status: 202, ...(result.replayed && { replayed: true }), transaction };
    }),
  };
  return jsonResponse(200, view);
}
