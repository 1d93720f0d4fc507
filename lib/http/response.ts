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

/** RFC 9457 problem details. */
export function problemResponse({ code, options }: HttpProblem, requestId: string): Response {
  const { status, title } = PROBLEMS[code];
  const { detail, errors, headers, members } = options;
  const problem = {
    type: `urn:antler:problem:${code}`,
    title,
    status,
    detail: detail ?? title,
    code,
    requestId,
    ...(errors && { errors }),
    ...members,
  };
  return jsonResponse(status, problem, { "content-type": "application/problem+json", ...headers });
}
