import { checkHealth } from "../lib/aws/health.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";

/** GET /v1/health: 200 once a command can go all the way, 503 while it can't. */
export const handler = publicRoute().handler(async () => {
  await checkHealth();
  return jsonResponse(200, { status: "ok" });
});
