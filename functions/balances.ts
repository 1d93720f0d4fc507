import { ports } from "../lib/aws/ports.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { readUserId } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import type { BalancesView } from "../lib/http/schemas.ts";
import { readBalances } from "../lib/ledger/balances.ts";

/** GET /v1/users/{userId}/balances */
export const handler = userRoute().handler(async (event) => {
  const userId = readUserId(event);
  const { sequence, balances } = await readBalances(userId, ports);
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
