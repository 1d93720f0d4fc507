import type { Context } from "aws-lambda";
import type { HttpEvent } from "../lib/http/route.ts";

/** Events and contexts as API Gateway and Lambda make them, for unit tests. */

interface Request {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly pathParameters?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

export function httpEvent(request: Request = {}): HttpEvent {
  const { method = "GET", headers = {}, pathParameters, query, body, isBase64Encoded = false } = request;
  return {
    version: "2.0",
    routeKey: `${method} /v1/test`,
    rawPath: "/v1/test",
    rawQueryString: "",
    headers,
    requestContext: {
      accountId: "123456789012",
      apiId: "api",
      domainName: "localhost",
      domainPrefix: "localhost",
      http: { method, path: "/v1/test", protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "test" },
      requestId: "gateway-request",
      routeKey: `${method} /v1/test`,
      stage: "$default",
      time: "23/Nov/2026:09:30:00 +0000",
      timeEpoch: Date.parse("2026-11-23T09:30:00.000Z"),
    },
    isBase64Encoded,
    ...(pathParameters && { pathParameters }),
    ...(query && { queryStringParameters: query }),
    ...(body !== undefined && { body }),
  };
}

export const lambdaContext: Context = {
  awsRequestId: "request-1",
  callbackWaitsForEmptyEventLoop: false,
  functionName: "test",
  functionVersion: "$LATEST",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:test",
  logGroupName: "test",
  logStreamName: "test",
  memoryLimitInMB: "512",
  getRemainingTimeInMillis: () => 10_000,
  done: () => {},
  fail: () => {},
  succeed: () => {},
};
