import { HttpProblem } from "../lib/http/problem.ts";
import { redirect } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";

/** Every other route. Redirects `/docs/` to `/docs`, because the links of the page are relative to `/docs`. */
export const handler = publicRoute().handler(async ({ rawPath, requestContext }) => {
  if (requestContext.http.method === "GET" && rawPath.endsWith("/docs/")) return redirect("../docs");
  throw new HttpProblem("not_found");
});
