import {
  BatchGetItemCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  ListTablesCommand,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { GetQueueAttributesCommand, ListQueuesCommand, type SQSClientConfig } from "@aws-sdk/client-sqs";
import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { SignatureV4 } from "@smithy/signature-v4";
import type { HttpRequest } from "@smithy/types";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { CREDENTIALS } from "../../../testkit/fakeAws.ts";
import { dynamoForTest, sqsForTest, TRANSPORTS } from "../../../testkit/transports.ts";
import type { Transport } from "./directTransport.ts";
import { createTransport } from "./transport.ts";

const ACCOUNT = { credentials: { ...CREDENTIALS, accountId: "111122223333" } };
const TABLE_ARN = "arn:aws:dynamodb:eu-central-1:444455556666:table/wallets";
const QUEUE = "https://sqs.eu-central-1.amazonaws.com/111122223333/transactions.fifo";

type Send = (transport: Transport) => Promise<unknown>;

const get: Send = (dynamo) => dynamo.send(new GetItemCommand({ TableName: "wallets", Key: {} }));
const attributesOf =
  (QueueUrl: string): Send =>
  (sqs) =>
    sqs.send(new GetQueueAttributesCommand({ QueueUrl }));
const listQueues: Send = (sqs) => sqs.send(new ListQueuesCommand({}));

interface Case<Config> {
  readonly options?: Config;
  readonly environment?: Readonly<Record<string, string>>;
  readonly send?: Send;
  readonly url: string;
  /** By default the client's. */
  readonly signingRegion?: string;
}

const DYNAMO: Readonly<Record<string, Case<DynamoDBClientConfig>>> = {
  "the region": { url: "https://dynamodb.eu-central-1.amazonaws.com/" },
  "a region of another partition": {
    ...{ options: { region: "cn-north-1" }, signingRegion: "cn-north-1" },
    url: "https://dynamodb.cn-north-1.amazonaws.com.cn/",
  },
  "a local DynamoDB": { options: { region: "local" }, url: "http://localhost:8000/", signingRegion: "us-east-1" },
  "the credentials' account": { options: ACCOUNT, url: "https://111122223333.ddb.eu-central-1.amazonaws.com/" },
  "the credentials' account, switched off": {
    options: { ...ACCOUNT, accountIdEndpointMode: "disabled" },
    url: "https://dynamodb.eu-central-1.amazonaws.com/",
  },
  "the account of a table": {
    send: (dynamo) => dynamo.send(new GetItemCommand({ TableName: TABLE_ARN, Key: {} })),
    options: ACCOUNT,
    url: "https://444455556666.ddb.eu-central-1.amazonaws.com/",
  },
  "the account of a batch's tables": {
    send: (dynamo) => dynamo.send(new BatchGetItemCommand({ RequestItems: { [TABLE_ARN]: { Keys: [] } } })),
    options: ACCOUNT,
    url: "https://444455556666.ddb.eu-central-1.amazonaws.com/",
  },
  "the account of a transaction's tables": {
    send: (dynamo) =>
      dynamo.send(
        new TransactWriteItemsCommand({
          ClientRequestToken: "token",
          TransactItems: [{ Put: { TableName: TABLE_ARN, Item: {} } }],
        }),
      ),
    options: ACCOUNT,
    url: "https://444455556666.ddb.eu-central-1.amazonaws.com/",
  },
  "an operation on no table": {
    send: (dynamo) => dynamo.send(new ListTablesCommand({})),
    options: ACCOUNT,
    url: "https://111122223333.ddb.eu-central-1.amazonaws.com/",
  },
  FIPS: { options: { useFipsEndpoint: true }, url: "https://dynamodb-fips.eu-central-1.amazonaws.com/" },
  "dual stack": { options: { useDualstackEndpoint: true }, url: "https://dynamodb.eu-central-1.api.aws/" },
  "FIPS, dual stack and an account": {
    options: { ...ACCOUNT, useFipsEndpoint: true, useDualstackEndpoint: true },
    url: "https://dynamodb-fips.eu-central-1.api.aws/",
  },
  "an endpoint": { options: { ...ACCOUNT, endpoint: "http://127.0.0.1:8000" }, url: "http://127.0.0.1:8000/" },
  "an endpoint with a path": { options: { endpoint: "https://proxy.test/dynamo" }, url: "https://proxy.test/dynamo/" },
  "an IPv6 endpoint": { options: { endpoint: "http://[::1]:8000" }, url: "http://[::1]:8000/" },
  AWS_ENDPOINT_URL: { environment: { AWS_ENDPOINT_URL: "http://127.0.0.1:4566" }, url: "http://127.0.0.1:4566/" },
  AWS_ENDPOINT_URL_DYNAMODB: {
    environment: { AWS_ENDPOINT_URL: "http://127.0.0.1:1", AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:8000" },
    url: "http://127.0.0.1:8000/",
  },
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: {
    environment: { AWS_ENDPOINT_URL: "http://127.0.0.1:1", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
    url: "https://dynamodb.eu-central-1.amazonaws.com/",
  },
};

const SQS: Readonly<Record<string, Case<SQSClientConfig>>> = {
  "the region": { send: listQueues, url: "https://sqs.eu-central-1.amazonaws.com/" },
  "a queue": { url: "https://sqs.eu-central-1.amazonaws.com/" },
  "a queue of another host": { send: attributesOf("http://queues.test:9324/0/q"), url: "http://queues.test:9324/" },
  "a queue and an endpoint": { options: { endpoint: "http://127.0.0.1:9324" }, url: "http://127.0.0.1:9324/" },
  "a queue and AWS_ENDPOINT_URL": {
    environment: { AWS_ENDPOINT_URL: "http://127.0.0.1:4566" },
    url: "https://sqs.eu-central-1.amazonaws.com/",
  },
  AWS_ENDPOINT_URL_SQS: {
    send: listQueues,
    environment: { AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:4566" },
    url: "http://127.0.0.1:4566/",
  },
  FIPS: { send: listQueues, options: { useFipsEndpoint: true }, url: "https://sqs-fips.eu-central-1.amazonaws.com/" },
  "dual stack": {
    send: listQueues,
    options: { useDualstackEndpoint: true },
    url: "https://sqs.eu-central-1.api.aws/",
  },
};

beforeEach(() => {
  vi.stubEnv("AWS_CONFIG_FILE", "none");
  // The SDK warns about a queue of another host.
  vi.spyOn(console, "warn").mockImplementation(() => {});
  onTestFinished(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });
});

/** @returns the request that would be sent */
async function requestOf({ client, transport }: ReturnType<typeof dynamoForTest | typeof sqsForTest>, send: Send) {
  const requests: HttpRequest[] = [];
  client.config.requestHandler = {
    metadata: { handlerProtocol: "http/1.1" },
    async handle(request: HttpRequest) {
      requests.push(request);
      return { response: { statusCode: 200, headers: {}, body: new Uint8Array() } };
    },
    destroy() {},
  };
  await send(transport);
  const [request] = requests;
  if (!request || requests.length > 1) throw new Error("A call is one request");
  return request;
}

function targetOf({ protocol, hostname, port, path, headers }: HttpRequest) {
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  const [, signingRegion, signingService] =
    /Credential=[^/]+\/\d+\/([^/]+)\/([^/]+)/.exec(headers.authorization ?? "") ?? [];
  return { url: `${protocol}//${host}${path}`, host: headers.host, signingRegion, signingService };
}

function stubEnvironment(environment: Readonly<Record<string, string>> = {}): void {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
}

describe.each(TRANSPORTS)("AWS_TRANSPORT=%s calls", (name) => {
  it.each(Object.entries(DYNAMO))(
    "DynamoDB at %s",
    async (_, { options, environment, send = get, url, signingRegion }) => {
      stubEnvironment(environment);
      const target = targetOf(await requestOf(dynamoForTest(name, { ...options }), send));
      const host = url.split("/")[2];
      expect(target).toEqual({ url, host, signingRegion: signingRegion ?? "eu-central-1", signingService: "dynamodb" });
    },
  );

  it.each(Object.entries(SQS))("SQS at %s", async (_, { options, environment, send = attributesOf(QUEUE), url }) => {
    stubEnvironment(environment);
    const target = targetOf(await requestOf(sqsForTest(name, { ...options }), send));
    expect(target).toEqual({ url, host: url.split("/")[2], signingRegion: "eu-central-1", signingService: "sqs" });
  });

  it("no endpoint if it must have an account and there is none", async () => {
    const { transport } = dynamoForTest(name, { accountIdEndpointMode: "required" });
    await expect(get(transport)).rejects.toThrow("AccountIdEndpointMode is required but no AccountID was provided");
  });

  it.each([
    [{ AWS_LAMBDA_FUNCTION_NAME: "api", _X_AMZN_TRACE_ID: "Root=1-2-3;Sampled=1" }, "Root=1-2-3;Sampled=1"],
    [{ AWS_LAMBDA_FUNCTION_NAME: "api" }, undefined],
    [{ _X_AMZN_TRACE_ID: "Root=1-2-3;Sampled=1" }, undefined],
    [{}, undefined],
  ])("with %j in the environment and the X-Ray header %j", async (environment, expected) => {
    stubEnvironment({ AWS_LAMBDA_FUNCTION_NAME: "", _X_AMZN_TRACE_ID: "", ...environment });
    const { headers } = await requestOf(dynamoForTest(name, {}), get);
    expect(headers["X-Amzn-Trace-Id"]).toBe(expected);
  });
});

it("The direct transport does not send a command of lib-dynamodb", async () => {
  const { transport } = dynamoForTest("direct", {});
  const query = new QueryCommand({ TableName: "wallets" });
  await expect(async () => transport.send(query)).rejects.toThrow(
    new TypeError("QueryCommand is not a command of a base client"),
  );
});

describe("AWS_TRANSPORT", () => {
  const create = (setting: string) => {
    vi.stubEnv("AWS_TRANSPORT", setting);
    const client = new DynamoDBClient({ region: "eu-central-1" });
    return { client, transport: createTransport(client, "dynamodb", { connectMs: 1000, requestMs: 1000 }) };
  };

  it("sdk leaves the client as it is", () => {
    const { client, transport } = create("sdk");
    expect(transport).toBe(client);
  });

  it("is direct by default", () => {
    const { client, transport } = create("");
    expect(transport).not.toBe(client);
  });

  it.each([
    ["sdk", 1],
    ["direct", 0],
  ] as const)("%s signs a request %i times with the SDK's signer", async (setting, times) => {
    const sign = vi.spyOn(SignatureV4.prototype, "sign");
    await requestOf(dynamoForTest(setting, {}), get);
    expect(sign).toHaveBeenCalledTimes(times);
  });

  it("must not be anything else", () => {
    expect(() => create("fast")).toThrow(new Error("AWS_TRANSPORT=fast: must be direct or sdk"));
  });
});
