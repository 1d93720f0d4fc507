import { ports } from "../lib/aws/adapters.ts";
import { BATCH_PATH, readBatch, respondToBatch } from "../lib/http/batch.ts";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { type MovementSpecification, readSubmission, respondToSubmission } from "../lib/http/movement.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { adminRoute, authenticatedRoute, routes } from "../lib/http/route.ts";
import { submit } from "../lib/ledger/submit.ts";
import { submitBatch } from "../lib/ledger/submitBatch.ts";

/** Every POST route of movements. */
export const handler = routes([
  ...MOVEMENTS.map((movement) => ({ method: "POST" as const, path: movement.path, handler: handlerOf(movement) })),
  { method: "POST", path: BATCH_PATH, handler: batchHandler() },
]);

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
