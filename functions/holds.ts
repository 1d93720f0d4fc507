import { ports } from "../lib/aws/adapters.ts";
import { readCursor, writeCursor } from "../lib/http/cursor.ts";
import { readQuery, readUserId } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import { type HistoryView, holdsQuery } from "../lib/http/schemas.ts";
import { transactionViews } from "../lib/http/views.ts";

/** GET /v1/users/{userId}/holds: the open ones */
export const handler = userRoute().handler(async (event) => {
  const { limit, cursor } = readQuery(event, holdsQuery);
  const page = await ports.store.readOpenHolds(readUserId(event), { limit, after: readCursor(cursor) });
  const view: HistoryView = {
    data: await transactionViews(page.transactions, ports.store),
    nextCursor: page.end ? writeCursor(page.end) : null,
  };
  return jsonResponse(200, view);
});
