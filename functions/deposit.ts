import { ports } from "../lib/aws/adapters.ts";
import { answerMovement, readMovement } from "../lib/http/movement.ts";
import { userRoute } from "../lib/http/route.ts";
import { submit } from "../lib/ledger/submit.ts";

/** POST /v1/users/{userId}/deposits */
export const handler = userRoute().handler(async (event, context) => {
  const submitted = await submit({ ...readMovement(event, context), type: "deposit" }, ports);
  return answerMovement(event, submitted, ports);
});
