import { checkHealth } from "../lib/aws/health.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";

/** GET /v1/health: 200 if the tables and the queue respond, else 503. */
export const handler = publicRoute().handler(async () => {
  await checkHealth();
  return jsonResponse(200, { status: "ok" });
});
