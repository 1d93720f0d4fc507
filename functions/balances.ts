import { ports } from "../lib/aws/adapters.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { readUserId } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import type { BalancesView } from "../lib/http/schemas.ts";
import { readBalances } from "../lib/ledger/balances.ts";
import { logger } from "../lib/runtime/telemetry.ts";

/** GET /v1/users/{userId}/balances */
export const handler = userRoute().handler(async (event, context) => {
  const userId = readUserId(event);
  const { sequence, balances, unknownCurrencies } = await readBalances(userId, ports);
  if (unknownCurrencies.length > 0) {
    logger.error("wallet has balances in currencies that are not in the currencies table", {
      requestId: context.awsRequestId,
      currencies: unknownCurrencies,
    });
  }
  const view: BalancesView = {
    userId,
    sequence,
    balances: balances.map(({ currency, amountMinor }) => ({
      currency: currency.code,
      amount: formatAmount(amountMinor, currency.exponent),
    })),
  };
  return jsonResponse(200, view);
});
