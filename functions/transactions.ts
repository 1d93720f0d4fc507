import { ports } from "../lib/aws/adapters.ts";
import { readCursor, writeCursor } from "../lib/http/cursor.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { readQuery, readUserId } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import { type HistoryView, historyQuery } from "../lib/http/schemas.ts";
import { transactionView } from "../lib/http/views.ts";

/** GET /v1/users/{userId}/transactions */
export const handler = userRoute().handler(async (event) => {
  const { limit, cursor, currency, status } = readQuery(event, historyQuery);
  const beforeSequence = readCursor(cursor);
  if (currency && !(await ports.currencies.list()).some(({ code }) => code === currency)) {
    const errors = [{ parameter: "currency", detail: "must be the code of a known currency" }];
    throw new HttpProblem("unknown_currency", { detail: "The currency is unknown", errors });
  }
  const page = await ports.store.readHistory(readUserId(event), { limit, beforeSequence, currency, status });
  const view: HistoryView = {
    data: page.transactions.map(transactionView),
    nextCursor: page.nextBeforeSequence === undefined ? null : writeCursor(page.nextBeforeSequence),
  };
  return jsonResponse(200, view);
});
