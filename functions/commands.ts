import { ports } from "../lib/aws/adapters.ts";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { type MovementSpecification, readSubmission, respondToSubmission } from "../lib/http/movement.ts";
import { authenticatedRoute, routes } from "../lib/http/route.ts";
import { submit } from "../lib/ledger/submit.ts";

/** Every POST route. */
export const handler = routes(
  MOVEMENTS.map((movement) => ({ method: "POST", path: movement.path, handler: handlerOf(movement) })),
);

function handlerOf(movement: MovementSpecification) {
  return authenticatedRoute().handler(async (event, context) => {
    const submission = await readSubmission(event, context, movement, ports.store);
    return respondToSubmission(event, submission, await submit(submission, ports), ports);
  });
}
