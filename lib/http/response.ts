import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { type HttpProblem, PROBLEMS } from "./problem.ts";

export type Response = APIGatewayProxyStructuredResultV2;

export function jsonResponse(
  statusCode: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return {
    statusCode,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
    body: JSON.stringify(body),
  };
}

/** @param location relative to the path of the request, because that path may have a prefix */
export function redirect(location: string): Response {
  return { statusCode: 308, headers: { location } };
}

export function problemResponse(problem: HttpProblem, requestId: string): Response {
  const { status } = PROBLEMS[problem.code];
  const headers = { "content-type": "application/problem+json", ...problem.options.headers };
  return jsonResponse(status, problemDetails(problem, requestId), headers);
}

/** RFC 9457 problem details. */
export function problemDetails({ code, options }: HttpProblem, requestId: string) {
  const { status, title } = PROBLEMS[code];
  const { detail, errors, members } = options;
  return {
    type: `urn:antler:problem:${code}`,
    title,
    status,
    detail: detail ?? title,
    code,
    requestId,
    ...(errors && { errors: [...errors] }),
    ...members,
  };
}
