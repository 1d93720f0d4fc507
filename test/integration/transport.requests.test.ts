import { createHash } from "node:crypto";
import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { PublishBatchCommand, SNSClient } from "@aws-sdk/client-sns";
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";
import type { MetadataBearer } from "@smithy/types";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Transport } from "../../lib/aws/transport/directTransport.ts";
import { createTransport } from "../../lib/aws/transport/transport.ts";
import { CREDENTIALS, fakeAwsForTest, type ReceivedRequest } from "../../testkit/fakeAws.ts";

const NOW = new Date("2026-11-23T09:30:00.000Z");
const TIMEOUTS = { connectMs: 10_000, requestMs: 10_000 };
const QUEUE = { QueueUrl: "https://sqs.eu-central-1.amazonaws.com/000000000000/transactions.fifo" };
const TEXT = 'Zoë ☃ 🎉 " \\ \u0000 \u2028 </script>';
const ITEM = {
  userId: { S: TEXT },
  amountMinor: { N: "-12345678901234567890123456789012345678" },
  nothing: { M: {} },
  nested: { M: { list: { L: [{ NULL: true }, { BOOL: false }, { S: "" }] }, bytes: { B: Buffer.from("é") } } },
};

/** Headers of the SDK that the direct transport does not send. */
const SDK_HEADERS = {
  "user-agent": "names the SDK and its version; AWS does not ask for it",
  "x-amz-user-agent": "the same, for browsers",
  "amz-sdk-invocation-id": "a random id of the call, for AWS's own statistics",
  "amz-sdk-request": "the number of the attempt, for AWS's own statistics",
};

type Send = (transport: Transport) => Promise<MetadataBearer>;

const DYNAMO: readonly [operation: string, send: Send, answer: object][] = [
  [
    "PutItem",
    (dynamo) =>
      dynamo.send(
        new PutItemCommand({
          TableName: "wallets",
          Item: ITEM,
          ConditionExpression: "attribute_not_exists(userId)",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      ),
    { Attributes: { amountMinor: ITEM.amountMinor } },
  ],
  [
    "GetItem",
    (dynamo) =>
      dynamo.send(new GetItemCommand({ TableName: "wallets", Key: { userId: { S: TEXT } }, ConsistentRead: true })),
    { Item: { userId: ITEM.userId, nothing: ITEM.nothing, amountMinor: ITEM.amountMinor } },
  ],
  [
    "BatchGetItem",
    (dynamo) =>
      dynamo.send(new BatchGetItemCommand({ RequestItems: { wallets: { Keys: [{ userId: { S: TEXT } }, {}] } } })),
    { Responses: { wallets: [{ userId: { S: TEXT } }] }, UnprocessedKeys: { wallets: { Keys: [{}] } } },
  ],
  [
    "BatchExecuteStatement",
    (dynamo) =>
      dynamo.send(
        new BatchExecuteStatementCommand({
          Statements: [
            { Statement: `INSERT INTO "wallets" VALUE {'userId': ?}`, Parameters: [{ S: TEXT }] },
            { Statement: `INSERT INTO "wallets" VALUE {'userId': ?}`, Parameters: [{ S: TEXT }] },
          ],
        }),
      ),
    { Responses: [{ TableName: "wallets" }, { Error: { Code: "DuplicateItem", Message: TEXT } }] },
  ],
  [
    "TransactWriteItems",
    (dynamo) =>
      dynamo.send(
        new TransactWriteItemsCommand({
          ClientRequestToken: "token of the batch",
          TransactItems: [
            { Put: { TableName: "wallets", Item: ITEM } },
            {
              Update: {
                TableName: "wallets",
                Key: { userId: { S: TEXT } },
                UpdateExpression: "SET #b = :b",
                ExpressionAttributeNames: { "#b": "balances" },
                ExpressionAttributeValues: { ":b": { M: {} } },
              },
            },
          ],
        }),
      ),
    {},
  ],
];

const SQS: typeof DYNAMO = [
  [
    "SendMessage",
    (sqs) =>
      sqs.send(
        new SendMessageCommand({
          ...QUEUE,
          MessageBody: TEXT,
          MessageGroupId: "alice",
          MessageDeduplicationId: "tx_1",
          MessageAttributes: { source: { DataType: "String", StringValue: TEXT } },
        }),
      ),
    { MessageId: "m1", SequenceNumber: "18850000000000000000", MD5OfMessageBody: md5(TEXT) },
  ],
  [
    "SendMessageBatch",
    (sqs) =>
      sqs.send(
        new SendMessageBatchCommand({
          ...QUEUE,
          Entries: ["a", "b"].map((Id) => ({
            Id,
            MessageBody: `${TEXT}${Id}`,
            MessageGroupId: TEXT,
            MessageDeduplicationId: `tx_${Id}`,
          })),
        }),
      ),
    {
      Successful: [
        { Id: "a", MessageId: "m1", MD5OfMessageBody: md5(`${TEXT}a`), SequenceNumber: "18850000000000000000" },
      ],
      Failed: [{ Id: "b", Code: "InternalError", SenderFault: false, Message: TEXT }],
    },
  ],
  [
    "ReceiveMessage",
    (sqs) =>
      sqs.send(
        new ReceiveMessageCommand({
          ...QUEUE,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 0,
          MessageSystemAttributeNames: ["All"],
        }),
      ),
    { Messages: [{ MessageId: "m1", Body: TEXT, MD5OfBody: md5(TEXT), Attributes: { MessageGroupId: "alice" } }] },
  ],
  [
    "DeleteMessageBatch",
    (sqs) =>
      sqs.send(
        new DeleteMessageBatchCommand({
          ...QUEUE,
          Entries: ["a", "b"].map((Id) => ({ Id, ReceiptHandle: `${TEXT}${Id}` })),
        }),
      ),
    { Successful: [{ Id: "a" }], Failed: [{ Id: "b", Code: "InternalError", SenderFault: false, Message: TEXT }] },
  ],
  [
    "GetQueueAttributes",
    (sqs) => sqs.send(new GetQueueAttributesCommand({ ...QUEUE, AttributeNames: ["ApproximateNumberOfMessages"] })),
    { Attributes: { ApproximateNumberOfMessages: "3" } },
  ],
];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  onTestFinished(() => {
    vi.useRealTimers();
  });
});

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

type Service = "dynamodb" | "sqs" | "sns";

/** A client as it comes from the SDK. */
function clientFor(endpoint: string, service: Service): DynamoDBClient | SQSClient | SNSClient {
  const options = { endpoint, region: "eu-central-1", credentials: { ...CREDENTIALS, sessionToken: "token+/=" } };
  const client = new { dynamodb: DynamoDBClient, sqs: SQSClient, sns: SNSClient }[service](options);
  onTestFinished(() => client.destroy());
  return client;
}

/** Header lines, sorted, because their order means nothing, without the SDK's own, and without the signature itself. */
function comparable({ head, body }: ReceivedRequest) {
  const [requestLine, ...headers] = head.split("\r\n");
  const names = Object.keys(SDK_HEADERS);
  const signed = (list: string) =>
    list
      .split(";")
      .filter((name) => !names.includes(name))
      .join(";");
  return {
    requestLine,
    headers: headers
      .filter((line) => !names.includes(line.split(":")[0] ?? ""))
      .map((line) => line.replace(/(?<=SignedHeaders=)[^,]+/, signed).replace(/(?<=Signature=)\w+$/, "..."))
      .sort(),
    body,
  };
}

/** Sends with both to one server, which checks the signatures. */
async function sendWithBoth(service: Service, send: Send, answer: string | object) {
  const { url, requests } = await fakeAwsForTest({ answer: () => ({ body: answer }) });
  const { $metadata: sdkMetadata, ...expected } = await send(clientFor(url, service));
  const { $metadata: metadata, ...output } = await send(createTransport(clientFor(url, service), service, TIMEOUTS));
  const [sdk, direct] = requests;
  if (!sdk || !direct || requests.length > 2) throw new Error("Each call is one request");
  return { sdk, direct, expected, output, statuses: [sdkMetadata.httpStatusCode, metadata.httpStatusCode] };
}

describe.each([
  ["dynamodb", DYNAMO],
  ["sqs", SQS],
] as const)("A request to %s", (service, commands) => {
  it.each(commands)(
    "%s is the SDK's but for the headers listed, and so is its output",
    async (operation, send, answer) => {
      const { sdk, direct, expected, output, statuses } = await sendWithBoth(service, send, answer);
      expect(comparable(direct)).toEqual(comparable(sdk));
      expect(output).toEqual(expected);
      expect(statuses).toEqual([200, 200]);
      expect(direct.headers["x-amz-target"]).toMatch(`.${operation}`);
      expect(direct.body).toBe(sdk.body);
      expect(Object.keys(direct.headers)).not.toEqual(expect.arrayContaining(Object.keys(SDK_HEADERS)));
      expect(Object.keys(sdk.headers)).toEqual(expect.arrayContaining(Object.keys(SDK_HEADERS)));
    },
  );
});

it("A request to sns, whose protocol is not JSON, is the SDK's but for the headers listed, and so is its output", async () => {
  const entry = (Id: string) => ({
    ...{ Id, Message: TEXT.replaceAll("\u0000", ""), MessageGroupId: "alice", MessageDeduplicationId: Id },
    MessageAttributes: { type: { DataType: "String", StringValue: "deposit" } },
  });
  const TopicArn = "arn:aws:sns:eu-central-1:000000000000:events.fifo";
  const publish = new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: [entry("a"), entry("b")] });
  const member = "<member><Id>b</Id><Code>Throttled</Code><SenderFault>false</SenderFault></member>";
  const answer = `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed>${member}</Failed></PublishBatchResult></PublishBatchResponse>`;
  const { sdk, direct, expected, output } = await sendWithBoth("sns", (sns) => sns.send(publish), answer);
  expect(comparable(direct)).toEqual(comparable(sdk));
  expect(output).toEqual(expected);
  expect(output).toMatchObject({ Failed: [{ Id: "b", Code: "Throttled" }] });
});

it("A command of lib-dynamodb goes through the SDK's middleware to the transport's signer and HTTP handler", async () => {
  const { url, requests } = await fakeAwsForTest();
  const [client, base] = [clientFor(url, "dynamodb"), clientFor(url, "dynamodb")];
  createTransport(client, "dynamodb", TIMEOUTS);
  for (const each of [base, client]) {
    if (!(each instanceof DynamoDBClient)) throw new Error("Not a client of DynamoDB");
    await DynamoDBDocumentClient.from(each).send(
      new QueryCommand({
        TableName: "wallets",
        KeyConditionExpression: "userId = :u",
        ExpressionAttributeValues: { ":u": TEXT },
      }),
    );
  }
  const [sdk, direct] = requests;
  if (!sdk || !direct) throw new Error("Each call is a request");
  expect(comparable(direct)).toEqual(comparable(sdk));
  for (const name of ["user-agent", "amz-sdk-request"]) expect(direct.headers[name]).toBe(sdk.headers[name]);
});

describe("The server of these tests", () => {
  it.each([
    ["another secret", { secrets: { [CREDENTIALS.accessKeyId]: "another" } }, "does not match"],
    ["a clock that is six minutes ahead", { clockAheadMs: 6 * 60_000 }, "The time of the signature"],
  ])("refuses the SDK's signature with %s", async (_, options, message) => {
    const { url } = await fakeAwsForTest(options);
    const client = new DynamoDBClient({
      ...{ endpoint: url, region: "eu-central-1", credentials: CREDENTIALS, maxAttempts: 1 },
    });
    onTestFinished(() => client.destroy());
    await expect(client.send(new GetItemCommand({ TableName: "wallets", Key: {} }))).rejects.toThrow(message);
  });
});
