import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import {
  ConditionalCheckFailedException,
  DynamoDBServiceException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  ResourceNotFoundException,
  ThrottlingException,
  TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import { QueueDoesNotExist, SendMessageCommand } from "@aws-sdk/client-sqs";
import { StandardRetryStrategy } from "@smithy/core/retry";
import type { MetadataBearer, RetryErrorInfo, StandardRetryToken } from "@smithy/types";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { withTransientErrors } from "../../lib/aws/errors.ts";
import { TransientError } from "../../lib/ledger/ports.ts";
import { type Answer, CREDENTIALS, type Fault, failure, fakeAwsForTest } from "../../testkit/fakeAws.ts";
import { freePorts } from "../../testkit/ports.ts";
import { dynamoForTest, sqsForTest, TRANSPORTS, type TransportName } from "../../testkit/transports.ts";

const DYNAMO = "com.amazonaws.dynamodb.v20120810#";
const CORAL = "com.amazon.coral.service#";
const NOW = new Date("2026-11-23T09:30:00.000Z");
const HOUR_MS = 3_600_000;
const ATTEMPTS = 3;

/** What the SDK adds to the message of an error that is not an answer's; the direct transport does not. */
const HINT = /\n {2}Deserialization error: to see the raw response.*/;
interface Expected {
  readonly errorClass: unknown;
  readonly name: string;
  readonly message: string;
  /** Of the response; there is none without one. */
  readonly status?: number | undefined;
  /** All further properties of the error. */
  readonly members: object;
  /** What the retry strategy retries it as, if it does. */
  readonly retriedAs?: "THROTTLING" | "TRANSIENT";
  /** As {@link withTransientErrors} classifies it. */
  readonly isTransient: boolean;
}

/** The SDK's strategy with short delays, that keeps what it is asked. */
class RecordingStrategy extends StandardRetryStrategy {
  readonly failures: RetryErrorInfo[] = [];

  constructor(delay: () => number = () => 1) {
    super({ maxAttempts: ATTEMPTS, backoff: { computeNextBackoffDelay: delay, setDelayBase() {} } });
  }

  override refreshRetryTokenForRetry(token: StandardRetryToken, info: RetryErrorInfo): Promise<StandardRetryToken> {
    this.failures.push(info);
    return super.refreshRetryTokenForRetry(token, info);
  }
}

function put(): PutItemCommand {
  return new PutItemCommand({ TableName: "wallets", Item: { userId: { S: "alice" } } });
}

function message(): SendMessageCommand {
  return new SendMessageCommand({ QueueUrl: "https://sqs.eu-central-1.amazonaws.com/0/queue", MessageBody: "{}" });
}

function setDate(time: Date): void {
  vi.useFakeTimers({ toFake: ["Date"], now: time });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

/** @returns the error of the call, and whether it is transient */
async function failureOf(send: () => Promise<unknown>): Promise<{ error: Error; isTransient: boolean }> {
  const thrown: unknown = await withTransientErrors("The call", send).then(
    () => undefined,
    (reason) => reason,
  );
  const isTransient = thrown instanceof TransientError;
  const error = isTransient ? thrown.cause : thrown;
  if (!(error instanceof Error)) throw new Error("The call did not fail with an error");
  return { error, isTransient };
}

function describeError(error: Error) {
  const {
    name: _,
    message: __,
    $metadata,
    ...members
  }: Partial<MetadataBearer> & Record<string, unknown> = { ...error };
  return {
    errorClass: error.constructor,
    name: error.name,
    message: error.message.replace(HINT, ""),
    status: $metadata?.httpStatusCode,
    members,
  };
}

/** A modelled error of DynamoDB, with a message. */
function modelled(
  errorClass: { readonly name: string },
  status: number,
  members: object = {},
): [Answer, Omit<Expected, "isTransient">] {
  const { name } = errorClass;
  return [
    failure(status, DYNAMO + name, { message: `About ${name}`, ...members }),
    {
      ...{ errorClass, name, status, message: `About ${name}` },
      members: { $fault: status < 500 ? "client" : "server", __type: DYNAMO + name, ...members },
    },
  ];
}

/** An error that DynamoDB's model does not have. */
function unmodelled(name: string, status: number): ReturnType<typeof modelled> {
  return [
    failure(status, CORAL + name, { message: `About ${name}` }),
    {
      ...{ errorClass: DynamoDBServiceException, name, status, message: `About ${name}` },
      members: { $fault: status < 500 ? "client" : "server", __type: CORAL + name },
    },
  ];
}

const cut: Fault = (response) => response.socket?.destroy();

function failuresOf(transport: TransportName): [what: string, answer: Answer | Fault, expected: Expected][] {
  const unknown = { errorClass: DynamoDBServiceException, name: "Unknown", message: "UnknownError" };
  const connection = {
    errorClass: Error,
    members: { code: "ECONNRESET" },
    retriedAs: "TRANSIENT",
    isTransient: true,
  } as const;
  // The direct transport has no response before it has all of it.
  const cutStatus = transport === "sdk" ? 200 : undefined;
  const row = (what: string, [answer, expected]: ReturnType<typeof modelled>, retriedAs?: Expected["retriedAs"]) =>
    [what, answer, { ...expected, ...(retriedAs && { retriedAs }), isTransient: retriedAs !== undefined }] satisfies [
      string,
      Answer,
      Expected,
    ];
  const item = {
    Item: { userId: { S: "Zoë 🎉" }, sequence: { N: "12345678901234567890123456789012345678" }, none: { M: {} } },
  };
  const reasons = {
    CancellationReasons: [{ Code: "None" }, { Code: "ConditionalCheckFailed", Message: "failed", ...item }],
  };
  return [
    row("a failed condition, with the item", modelled(ConditionalCheckFailedException, 400, item)),
    row("a cancelled transaction, with its reasons and items", modelled(TransactionCanceledException, 400, reasons)),
    row("a missing table", modelled(ResourceNotFoundException, 400)),
    row("an invalid request, which is not modelled", unmodelled("ValidationException", 400)),
    row("expired credentials", unmodelled("ExpiredTokenException", 400)),
    row("an exceeded throughput", modelled(ProvisionedThroughputExceededException, 400), "THROTTLING"),
    row("a throttle", modelled(ThrottlingException, 400), "THROTTLING"),
    row("an internal error", modelled(InternalServerError, 500), "TRANSIENT"),
    [
      "an error of a server that is not to be retried",
      unmodelled("NotImplemented", 501)[0],
      { ...unmodelled("NotImplemented", 501)[1], isTransient: true },
    ],
    [
      "a 503 in HTML",
      { status: 503, headers: { "content-type": "text/html" }, body: "<html>" },
      {
        ...{
          errorClass: SyntaxError,
          name: "SyntaxError",
          message: `Unexpected token '<', "<html>" is not valid JSON`,
        },
        ...{ status: 503, members: {}, retriedAs: "TRANSIENT", isTransient: true },
      },
    ],
    [
      "a 200 with broken JSON",
      { body: '{"Attributes":' },
      {
        ...{ errorClass: SyntaxError, name: "SyntaxError", message: "Unexpected end of JSON input" },
        ...{ status: 200, members: {}, isTransient: false },
      },
    ],
    [
      "a 400 with an empty body",
      { status: 400, body: "" },
      { ...unknown, status: 400, members: { $fault: "client" }, isTransient: false },
    ],
    [
      "a 429 with an empty body",
      { status: 429, body: "" },
      { ...unknown, status: 429, members: { $fault: "client" }, retriedAs: "THROTTLING", isTransient: false },
    ],
    [
      "a connection that is cut before the response",
      cut,
      { ...connection, name: "TimeoutError", message: "socket hang up" },
    ],
    [
      "a connection that is cut in the middle of the response",
      (response) => {
        response.writeHead(200, { "content-length": 100 }).write('{"Attributes":', () => cut(response));
      },
      { ...connection, name: "Error", message: "aborted", status: cutStatus },
    ],
    [
      "a body that is not HTTP",
      (response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" }).flushHeaders();
        response.socket?.end("this is no chunk\r\n");
      },
      { ...connection, name: "Error", message: "aborted", status: cutStatus },
    ],
  ];
}

/** Takes connections into its queue and accepts none: it is full after two, and then does not answer a new one. */
async function fullServer(): Promise<string> {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  onTestFinished(() => worker.terminate().then(() => {}));
  const [port]: number[] = await once(worker, "message");
  if (port === undefined) throw new Error("The server has no port");
  for (let queued = 0; queued < 2; queued++) {
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => {
      socket.destroy();
    });
    await once(socket, "connect");
  }
  return `http://127.0.0.1:${port}`;
}

function amzDate(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** For requests that are to take no longer than they need. */
const LONG = { connectMs: 10_000, requestMs: 10_000 };

describe.each(TRANSPORTS)("AWS_TRANSPORT=%s", (name) => {
  it.each(failuresOf(name))("%s", async (_, answer, { retriedAs, isTransient, status, ...expected }) => {
    const { url: endpoint, requests } = await fakeAwsForTest({ answer: () => answer });
    const retryStrategy = new RecordingStrategy();
    const { transport } = dynamoForTest(name, { endpoint, retryStrategy });
    const failed = await failureOf(() => transport.send(put()));
    expect(describeError(failed.error)).toEqual({ ...expected, status });
    expect(failed.isTransient).toBe(isTransient);
    expect(requests).toHaveLength(retriedAs ? ATTEMPTS : 1);
    const errorTypes = retryStrategy.failures.map(({ errorType }) => errorType);
    if (retriedAs) expect(errorTypes).toEqual(Array(ATTEMPTS).fill(retriedAs));
  });

  it("a missing queue, with its older code in a header", async () => {
    const type = "com.amazonaws.sqs#QueueDoesNotExist";
    const { url: endpoint, requests } = await fakeAwsForTest({
      answer: () => ({
        ...failure(400, type, { message: "The specified queue does not exist." }),
        headers: { "x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender" },
      }),
    });
    const { transport } = sqsForTest(name, { endpoint });
    const { error, isTransient } = await failureOf(() => transport.send(message()));
    const code = { Code: "AWS.SimpleQueueService.NonExistentQueue", Type: "Sender" };
    expect(describeError(error)).toEqual({
      ...{ errorClass: QueueDoesNotExist, name: "QueueDoesNotExist", message: "The specified queue does not exist." },
      status: 400,
      members: {
        ...{ $fault: "client", __type: type, RequestId: "request-0", ...code },
        Error: { ...code, Message: "The specified queue does not exist." },
      },
    });
    expect(isTransient).toBe(false);
    expect(requests).toHaveLength(1);
  });

  it("a refused connection", async () => {
    const retryStrategy = new RecordingStrategy();
    const { port } = await freePorts("port");
    const { transport } = dynamoForTest(name, { endpoint: `http://127.0.0.1:${port}`, retryStrategy });
    const { error, isTransient } = await failureOf(() => transport.send(put()));
    expect(describeError(error)).toMatchObject({
      ...{ errorClass: Error, name: "Error", message: `connect ECONNREFUSED 127.0.0.1:${port}` },
      members: { code: "ECONNREFUSED", syscall: "connect" },
    });
    expect([retryStrategy.failures.length, isTransient]).toEqual([ATTEMPTS, true]);
  });

  it("a refused connection to an IPv6 address, which is called without the brackets that a URL has", async () => {
    const { port } = await freePorts("port");
    const { transport } = dynamoForTest(name, { endpoint: `http://[::1]:${port}`, maxAttempts: 1 });
    const { error } = await failureOf(() => transport.send(put()));
    // With another code where there is no IPv6.
    expect(error.message).toMatch(new RegExp(`^connect E[A-Z]+ ::1:${port}`));
  });

  it("a request that takes too long", async () => {
    const { url: endpoint } = await fakeAwsForTest({ answer: () => () => {} });
    const retryStrategy = new RecordingStrategy();
    const { transport } = dynamoForTest(name, { endpoint, retryStrategy }, { ...LONG, requestMs: 100 });
    const { error, isTransient } = await failureOf(() => transport.send(put()));
    expect(describeError(error)).toMatchObject({
      errorClass: Error,
      name: "TimeoutError",
      members: { code: "ETIMEDOUT" },
    });
    expect(error.message).toMatch(/exceeded the configured 100 ms requestTimeout|did not complete within 100 ms/);
    expect([retryStrategy.failures.length, isTransient]).toEqual([ATTEMPTS, true]);
  });

  // The length of the queue is that of Linux.
  it.skipIf(process.platform !== "linux")("a connection that takes too long", async () => {
    const retryStrategy = new RecordingStrategy();
    const { transport } = dynamoForTest(
      name,
      { endpoint: await fullServer(), retryStrategy },
      { ...LONG, connectMs: 100 },
    );
    const { error, isTransient } = await failureOf(() => transport.send(put()));
    expect(describeError(error)).toMatchObject({ errorClass: Error, name: "TimeoutError" });
    expect(error.message).toMatch(/did not establish a connection .* of 100 ms|was not established within 100 ms/);
    expect([retryStrategy.failures.length, isTransient]).toEqual([ATTEMPTS, true]);
  });

  it("the SDK's own retry strategy makes the attempts that the client has", async () => {
    const { url: endpoint, requests } = await fakeAwsForTest({ answer: () => ({ status: 500 }) });
    const { transport: dynamo } = dynamoForTest(name, { endpoint, maxAttempts: 2 });
    const { transport: sqs } = sqsForTest(name, { endpoint, maxAttempts: 2 });
    for (const send of [() => dynamo.send(put()), () => sqs.send(message())]) {
      await failureOf(send);
    }
    expect(requests).toHaveLength(4);
  });

  it("an attempt after a failed one succeeds", async () => {
    const item = { Attributes: { userId: { S: "alice" } } };
    const { url: endpoint, requests } = await fakeAwsForTest({
      answer: (_, index) => (index < 2 ? { status: 500 } : { body: item }),
    });
    const { transport } = dynamoForTest(name, { endpoint, retryStrategy: new RecordingStrategy() });
    expect(await transport.send(put())).toMatchObject(item);
    expect(requests.map(({ body }) => body)).toEqual(Array(3).fill(requests[0]?.body));
  });

  it("successes give back what retries take from the strategy's capacity", async () => {
    const { url: endpoint } = await fakeAwsForTest({ answer: (_, index) => (index === 0 ? { status: 500 } : {}) });
    const retryStrategy = new RecordingStrategy();
    const capacity = retryStrategy.getCapacity();
    const { transport } = dynamoForTest(name, { endpoint, retryStrategy });
    await transport.send(put());
    expect(retryStrategy.getCapacity()).toBe(capacity);
  });

  it.each([
    ["retry-after", "0.02"],
    ["retry-after", "Mon, 23 Nov 2026 09:30:00 GMT, 0.02"],
    ["x-amz-retry-after", "20"],
  ])("%s: %s is waited for", async (header, value) => {
    setDate(NOW);
    const setTimeout = vi.spyOn(globalThis, "setTimeout");
    onTestFinished(() => setTimeout.mockRestore());
    const { url: endpoint, requests } = await fakeAwsForTest({
      answer: (_, index) => (index === 0 ? { status: 503, headers: { [header]: value } } : {}),
    });
    const retryStrategy = new RecordingStrategy();
    const { transport } = dynamoForTest(name, { endpoint, retryStrategy });
    await transport.send(put());
    expect(retryStrategy.failures.map(({ retryAfterHint }) => retryAfterHint)).toEqual([new Date(NOW.getTime() + 20)]);
    expect(setTimeout).toHaveBeenCalledWith(expect.any(Function), 20);
    expect(requests).toHaveLength(2);
  });

  it.each(["before the call", "during the request", "during the wait for the next attempt"] as const)(
    "a signal that aborts %s ends the call",
    async (when) => {
      const controller = new AbortController();
      const abortIf = (now: typeof when) => {
        if (now === when) controller.abort();
      };
      const { url: endpoint, requests } = await fakeAwsForTest({
        answer: () => {
          abortIf("during the request");
          return when === "during the request" ? () => {} : { status: 500 };
        },
      });
      const retryStrategy = new RecordingStrategy(() => {
        abortIf("during the wait for the next attempt");
        return 1;
      });
      const { transport } = dynamoForTest(name, { endpoint, retryStrategy });
      abortIf("before the call");
      const { error, isTransient } = await failureOf(() => transport.send(put(), { abortSignal: controller.signal }));
      expect([error.name, isTransient]).toEqual(["AbortError", true]);
      expect(requests).toHaveLength(when === "before the call" ? 0 : 1);
    },
  );

  it.each([
    ["InvalidSignatureException", HOUR_MS],
    ["InvalidSignatureException", -HOUR_MS],
    ["RequestTimeTooSkewed", HOUR_MS],
  ])(
    "after %s from a clock that is %i ms ahead, one retry is signed with that clock's time",
    async (type, clockAheadMs) => {
      setDate(NOW);
      const { url: endpoint, requests } = await fakeAwsForTest({ clockAheadMs, skewError: type });
      const { transport } = dynamoForTest(name, { endpoint, retryStrategy: new RecordingStrategy() });
      await transport.send(put());
      await transport.send(put());
      const corrected = amzDate(NOW.getTime() + clockAheadMs);
      expect(requests.map(({ headers }) => headers["x-amz-date"])).toEqual([
        amzDate(NOW.getTime()),
        corrected,
        corrected,
      ]);
    },
  );

  it("a clock's error that stays after the correction is not retried again", async () => {
    setDate(NOW);
    const { url: endpoint, requests } = await fakeAwsForTest({
      clockAheadMs: HOUR_MS,
      answer: () => failure(400, `${CORAL}RequestTimeTooSkewed`),
    });
    const { transport } = dynamoForTest(name, { endpoint, retryStrategy: new RecordingStrategy() });
    const { error } = await failureOf(() => transport.send(put()));
    expect(error.name).toBe("RequestTimeTooSkewed");
    expect(requests).toHaveLength(2);
  });

  it("the time of a success corrects the clock of the next request", async () => {
    setDate(NOW);
    const { url: endpoint, requests } = await fakeAwsForTest({ clockAheadMs: 60_000 });
    const { transport } = dynamoForTest(name, { endpoint });
    await transport.send(put());
    await transport.send(put());
    expect(requests.map(({ headers }) => headers["x-amz-date"])).toEqual(["20261123T093000Z", "20261123T093100Z"]);
  });

  it("credentials are renewed before they expire, and sign the next request", async () => {
    setDate(NOW);
    const secrets = { AKIDFIRST: "the first secret", AKIDSECOND: "the second secret" };
    const { url: endpoint, requests } = await fakeAwsForTest({ secrets });
    const provided = Object.entries(secrets).map(([accessKeyId, secretAccessKey], index) => ({
      ...{ accessKeyId, secretAccessKey, sessionToken: `session ${index}` },
      expiration: new Date(NOW.getTime() + (index + 1) * HOUR_MS),
    }));
    const credentials = vi.fn(async () => provided.shift() ?? CREDENTIALS);
    const { transport } = dynamoForTest(name, { endpoint, credentials });
    await transport.send(put());
    vi.setSystemTime(NOW.getTime() + HOUR_MS - 6 * 60_000);
    await transport.send(put());
    expect(credentials).toHaveBeenCalledTimes(1);
    vi.setSystemTime(NOW.getTime() + HOUR_MS - 4 * 60_000);
    await transport.send(put());
    expect(credentials).toHaveBeenCalledTimes(2);
    const sent = requests.map(({ headers }) => [headers.authorization, headers["x-amz-security-token"]]);
    const first = [expect.stringContaining("Credential=AKIDFIRST/"), "session 0"];
    expect(sent).toEqual([first, first, [expect.stringContaining("Credential=AKIDSECOND/"), "session 1"]]);
  });
});

it("The direct transport's limit of a request includes the response's body, as the SDK's does not", async () => {
  const { url: endpoint } = await fakeAwsForTest({
    answer: () => (response) => response.writeHead(200, { "content-length": 100 }).write('{"Attributes":'),
  });
  const { transport } = dynamoForTest("direct", { endpoint, maxAttempts: 1 }, { ...LONG, requestMs: 100 });
  const { error, isTransient } = await failureOf(() => transport.send(put()));
  expect(describeError(error)).toEqual({
    ...{ errorClass: Error, name: "TimeoutError", message: "The request did not complete within 100 ms" },
    ...{ status: undefined, members: { code: "ETIMEDOUT" } },
  });
  expect(isTransient).toBe(true);
});
