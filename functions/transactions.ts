import { ports } from "../lib/aws/adapters.ts";
import { findCurrency } from "../lib/http/currency.ts";
import { readCursor, writeCursor } from "../lib/http/cursor.ts";
import { readQuery, readUserId, refuseReversed } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import { type HistoryView, historyQuery } from "../lib/http/schemas.ts";
import { transactionViews } from "../lib/http/views.ts";

/** GET /v1/users/{userId}/transactions */
export const handler = userRoute().handler(async (event) => {
  const { cursor, ...query } = readQuery(event, historyQuery);
  const after = readCursor(cursor);
  refuseReversed(query);
  if (query.currency) await findCurrency(query.currency, ports.currencies);
  const page = await ports.store.readHistory(readUserId(event), { ...query, order: "newest first", after });
  const view: HistoryView = {
    data: await transactionViews(page.transactions, ports.store),
    nextCursor: page.end ? writeCursor(page.end) : null,
  };
  return jsonResponse(200, view);
});
