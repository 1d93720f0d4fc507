import type { Context, DynamoDBStreamEvent, SQSEvent } from "aws-lambda";
import type { HttpEvent } from "../lib/http/route.ts";
import type { QueueRecord } from "../lib/ledger/ports.ts";
import type { WalletChange } from "../lib/ledger/publish.ts";

interface Request {
  readonly method?: string | undefined;
  /** As in serverless.yml, such as `/v1/users/{userId}/deposits`. */
  readonly path?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly pathParameters?: Record<string, string>;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly isBase64Encoded?: boolean;
}

/** The event that API Gateway sends to a function for a request. */
export function httpEvent(request: Request = {}): HttpEvent {
  const { method = "GET", path = "/v1/test", headers = {}, query, body, isBase64Encoded = false } = request;
  const { pathParameters } = request;
  const routeKey = `${method} ${path}`;
  const rawPath = path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(pathParameters?.[name] ?? ""));
  return {
    version: "2.0",
    routeKey,
    rawPath,
    rawQueryString: new URLSearchParams(query).toString(),
    headers,
    requestContext: {
      accountId: "123456789012",
      apiId: "api",
      domainName: "localhost",
      domainPrefix: "localhost",
      http: { method, path: rawPath, protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "test" },
      requestId: "gateway-request",
      routeKey,
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

type Delivered = Omit<QueueRecord, "isRedelivered"> & Partial<Pick<QueueRecord, "isRedelivered">>;

/** The event that Lambda's event source mapping sends to a function for a batch of a queue. */
export function sqsEvent(records: readonly Delivered[]): SQSEvent {
  return {
    Records: records.map(({ recordId, groupId, body, isRedelivered }) => ({
      messageId: recordId,
      receiptHandle: `receipt of ${recordId}`,
      body,
      attributes: {
        ApproximateReceiveCount: isRedelivered ? "2" : "1",
        SentTimestamp: "1795426200000",
        SenderId: "123456789012",
        ApproximateFirstReceiveTimestamp: "1795426200000",
        MessageGroupId: groupId,
      },
      messageAttributes: {},
      md5OfBody: "",
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:us-east-1:123456789012:commands.fifo",
      awsRegion: "us-east-1",
    })),
  };
}

/** The event that Lambda's event source mapping sends to the publisher for writes of wallets, without their balances. */
export function streamEvent(changes: readonly WalletChange[]): DynamoDBStreamEvent {
  const image = ({ decidedAt, sequence }: WalletChange["after"], userId: string) => ({
    userId: { S: userId },
    sequence: { N: String(sequence) },
    decidedAt: { S: decidedAt },
  });
  return {
    Records: changes.map(({ recordId, userId, before, after, ids }) => ({
      eventID: `event of ${recordId}`,
      eventName: before ? ("MODIFY" as const) : ("INSERT" as const),
      eventSource: "aws:dynamodb",
      dynamodb: {
        SequenceNumber: recordId,
        Keys: { userId: { S: userId } },
        ...(before && { OldImage: image(before, userId) }),
        NewImage: { ...image(after, userId), decidedIds: { L: ids.map((id) => ({ S: id })) } },
        StreamViewType: "NEW_AND_OLD_IMAGES" as const,
      },
    })),
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
