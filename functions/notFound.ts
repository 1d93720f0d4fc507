import { HttpProblem } from "../lib/http/problem.ts";
import { publicRoute } from "../lib/http/route.ts";

/** Every path and method that no other function has. */
export const handler = publicRoute().handler(async () => {
  throw new HttpProblem("not_found");
});
