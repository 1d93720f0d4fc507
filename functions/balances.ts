import { ports } from "../lib/aws/adapters.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { readQuery, readUserId, refuseFuture } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import { type BalancesView, balancesQuery } from "../lib/http/schemas.ts";
import { readBalances } from "../lib/ledger/balances.ts";
import { logger } from "../lib/runtime/telemetry.ts";

/** GET /v1/users/{userId}/balances */
export const handler = userRoute().handler(async (event, context) => {
  const userId = readUserId(event);
  const { at } = readQuery(event, balancesQuery);
  refuseFuture({ at }, ports.clock);
  const { status, sequence, hash, isProvisional, balances, unknownCurrencies } = await readBalances(userId, at, ports);
  if (unknownCurrencies.length > 0) {
    logger.error("wallet has balances in currencies that are not in the currencies table", {
      requestId: context.awsRequestId,
      currencies: unknownCurrencies,
    });
  }
  const view: BalancesView = {
    userId,
    status,
    sequence,
    hash: hash ?? null,
    ...(isProvisional && { provisional: true }),
    balances: balances.map(({ currency: { code, exponent }, amountMinor, heldMinor }) => ({
      currency: code,
      amount: formatAmount(amountMinor, exponent),
      held: formatAmount(heldMinor, exponent),
      available: formatAmount(amountMinor - heldMinor, exponent),
    })),
  };
  return jsonResponse(200, view);
});
