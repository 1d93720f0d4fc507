import { HttpProblem } from "../lib/http/problem.ts";
import { redirect } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";

/** Every path and method that no other function has; `/docs/` leads to `/docs`, from which the page's links are right. */
export const handler = publicRoute().handler(async ({ rawPath, requestContext }) => {
  if (requestContext.http.method === "GET" && rawPath.endsWith("/docs/")) return redirect("../docs");
  throw new HttpProblem("not_found");
});
