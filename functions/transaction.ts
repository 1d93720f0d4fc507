import { ports } from "../lib/aws/adapters.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { readUserId } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import { transactionId } from "../lib/http/schemas.ts";
import { transactionView } from "../lib/http/views.ts";

/** GET /v1/users/{userId}/transactions/{id} */
export const handler = userRoute().handler(async (event) => {
  const id = transactionId.safeParse(event.pathParameters?.id);
  const transaction = id.success ? await ports.store.findTransaction(readUserId(event), id.data) : undefined;
  if (!transaction) throw new HttpProblem("not_found");
  return jsonResponse(200, transactionView(transaction));
});
