import document from "../docs/reference/openapi.json" with { type: "json" };
import { jsonResponse } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";

/** GET /openapi.json */
export const handler = publicRoute().handler(async () =>
  jsonResponse(200, document, { "cache-control": "public, max-age=300" }),
);
