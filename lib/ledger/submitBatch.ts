import { commandOf } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { messagesOf, type SentCommand } from "./message.ts";
import { TransientError } from "./ports.ts";
import { accept, type Submission, type SubmitPorts, type Submitted, submissionId } from "./submit.ts";

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
  // Where a key occurs twice, the first one is accepted; after an error it may have been.
  await inParallel(Map.groupBy(submissions, submissionId).values(), async (sameKey) => {
    let error: Error | undefined;
    for (const submission of sameKey) {
      const result = error ?? (await accept(submission, times.get(submission) ?? "", ports).catch(toError));
      if (result instanceof Error) error = result;
      results.set(submission, result);
    }
  });

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

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
