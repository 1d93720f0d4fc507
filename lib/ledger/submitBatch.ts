import { commandOf, type Transaction } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { messagesOf, type SentCommand } from "./message.ts";
import { TransientError } from "./ports.ts";
import {
  answer,
  type Prepared,
  prepare,
  type Submission,
  type SubmitPorts,
  type Submitted,
  submissionId,
} from "./submit.ts";
import { toError } from "./toError.ts";

/** What became of a command of a batch; an error if it may not have reached the queue. */
export type SubmissionResult = Submitted | Error;

/**
 * Accepts commands that are independent of each other, each as `submit` does. A user's commands are sent in their order: when
 * one fails with an error, the user's later ones are not sent. The same submissions repeated complete them.
 *
 * @returns the result of each submission
 */
export async function submitBatch(
  submissions: readonly Submission[],
  ports: SubmitPorts,
): Promise<ReadonlyMap<Submission, SubmissionResult>> {
  const times = creationTimes(submissions, ports.clock.now());
  const results = new Map<Submission, SubmissionResult>();
  const sameKeys = [...Map.groupBy(submissions, submissionId).values()];
  // Where a key occurs twice, the first one is accepted; after an error it may have been.
  for (let round = 0; sameKeys.some(({ length }) => length > round); round++) {
    const next = sameKeys.flatMap((sameKey) => {
      const [submission, previous] = [sameKey[round], sameKey[round - 1]];
      const earlier = previous && results.get(previous);
      if (submission && earlier instanceof Error) results.set(submission, earlier);
      return submission && !(earlier instanceof Error) ? [submission] : [];
    });
    for (const [submission, result] of await acceptAll(next, times, ports)) results.set(submission, result);
  }

  const blockedUsers = new Set<string>();
  const pending = new Map<string, SentCommand>();
  for (const submission of submissions) {
    const { userId, requestId } = submission;
    const result = results.get(submission);
    if (result instanceof Error) blockedUsers.add(userId);
    if (!isPending(result)) continue;
    const command = commandOf(result.transaction);
    if (blockedUsers.has(userId)) results.set(submission, new TransientError("An earlier command of the user failed"));
    else pending.set(command.id, { command, requestId });
  }

  const unsent = new Map<string, Error>();
  for (const [{ commands }, error] of await ports.queue.sendAll(messagesOf([...pending.values()]))) {
    for (const { id } of commands) unsent.set(id, error);
  }
  for (const submission of submissions) {
    const error = unsent.get(submissionId(submission));
    if (error && isPending(results.get(submission))) results.set(submission, error);
  }
  return results;
}

/** Stores commands with different keys as pending, and does not send them. */
async function acceptAll(
  submissions: readonly Submission[],
  times: ReadonlyMap<Submission, string>,
  ports: SubmitPorts,
): Promise<ReadonlyMap<Submission, SubmissionResult>> {
  const results = new Map<Submission, SubmissionResult>();
  const accepted = new Map<Submission, Extract<Prepared, { candidate: Transaction }>>();
  await inParallel(submissions, async (submission) => {
    try {
      const prepared = await prepare(submission, times.get(submission) ?? "", ports);
      if (prepared.candidate) accepted.set(submission, prepared);
      else results.set(submission, { accepted: false, ...prepared.refusal });
    } catch (error) {
      results.set(submission, toError(error));
    }
  });
  const candidates = [...accepted.values()].flatMap(({ candidate, existing }) => (existing ? [] : [candidate]));
  const stored = await ports.store.putAllPending(candidates);
  for (const [submission, { candidate, existing = stored.get(candidate.id) }] of accepted) {
    results.set(submission, existing instanceof Error ? existing : answer(submission, candidate, existing));
  }
  return results;
}

/** Strictly increasing for each user, so that the order of the acceptance shows. ISO 8601, UTC. */
function creationTimes(submissions: readonly Submission[], now: Date): ReadonlyMap<Submission, string> {
  const nextMs = new Map<string, number>();
  return new Map(
    submissions.map((submission) => {
      const ms = nextMs.get(submission.userId) ?? now.getTime();
      nextMs.set(submission.userId, ms + 1);
      return [submission, new Date(ms).toISOString()];
    }),
  );
}

function isPending(result: SubmissionResult | undefined): result is Extract<Submitted, { accepted: true }> {
  return result !== undefined && !(result instanceof Error) && result.accepted && !result.transaction.decision;
}
