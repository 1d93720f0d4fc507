import { ports } from "../lib/aws/adapters.ts";
import { refersToOf } from "../lib/domain/command.ts";
import type { Transaction } from "../lib/domain/transaction.ts";
import { findInPath } from "../lib/http/movement.ts";
import { promisedHold } from "../lib/http/permissions.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { readUserId } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { authenticatedRoute, callerOf } from "../lib/http/route.ts";
import { promisedView, transactionView } from "../lib/http/views.ts";
import { readTransferStatuses } from "../lib/ledger/transferStatus.ts";

/** GET /v1/users/{userId}/transactions/{id} */
export const handler = authenticatedRoute().handler(async (event) => {
  const { userId: callerId, isOwner, isAdmin } = callerOf(event);
  const transaction = await findInPath(event, ports.store);
  if (!isOwner && !isAdmin && !(await isPromised(transaction, callerId))) throw new HttpProblem("forbidden");
  readUserId(event);
  if (!transaction) throw new HttpProblem("not_found");
  const statuses = await readTransferStatuses([transaction], ports.store);
  const view = isOwner || isAdmin ? transactionView : promisedView;
  return jsonResponse(200, view(transaction, statuses.get(transaction.id)));
});

/** True for a hold that is promised to the caller, and for the caller's own captures and releases of one. */
async function isPromised(transaction: Transaction | undefined, callerId: string): Promise<boolean> {
  if (transaction?.actor !== "counterparty") return promisedHold.allows(transaction, callerId);
  const hold = { userId: transaction.userId, id: refersToOf(transaction) ?? "" };
  return promisedHold.allows(await ports.store.findTransaction(hold.userId, hold.id), callerId);
}
