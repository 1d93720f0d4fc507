import { ports } from "../lib/aws/adapters.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";
import type { CurrenciesView } from "../lib/http/schemas.ts";

/** GET /v1/currencies */
export const handler = publicRoute().handler(async () => {
  const currencies = await ports.currencies.list();
  const view: CurrenciesView = {
    data: currencies.filter(({ enabled }) => enabled).map(({ code, name, exponent }) => ({ code, name, exponent })),
  };
  return jsonResponse(200, view, { "cache-control": "public, max-age=10" });
});
