import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  type StreamViewType,
  UpdateTableCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { CreateTopicCommand, SNSClient } from "@aws-sdk/client-sns";
import { CreateQueueCommand, GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import type { Resource } from "../infra/serverless.ts";
import { sqs } from "../lib/aws/clients.ts";

/** The values of `!Ref` and `!GetAtt`, by logical id. */
export type PhysicalIds = Map<string, { readonly ref: string; readonly attributes: Readonly<Record<string, string>> }>;

/** Creates the tables, queues and topics of a CloudFormation template that do not exist yet, and no other resources. */
export async function provision(resources: Readonly<Record<string, Resource>>): Promise<PhysicalIds> {
  const ids: PhysicalIds = new Map();
  const ofType = (type: string) => Object.entries(resources).filter(([, resource]) => resource.Type === type);
  // DynamoDB Local's first responses take longer than the ledger's own client waits.
  const patient = new DynamoDBClient({});
  try {
    await Promise.all(
      ofType("AWS::DynamoDB::Table").map(async ([logicalId, { Properties }]) => {
        ids.set(logicalId, await createTable(patient, Properties));
      }),
    );
  } finally {
    patient.destroy();
  }
  // A queue with a redrive policy needs the ARN of its dead-letter queue, which has no such policy.
  const queues = ofType("AWS::SQS::Queue");
  queues.sort(([, a], [, b]) => Number("RedrivePolicy" in a.Properties) - Number("RedrivePolicy" in b.Properties));
  for (const [logicalId, { Properties }] of queues) ids.set(logicalId, await createQueue(Properties, ids));
  for (const [logicalId, { Properties }] of ofType("AWS::SNS::Topic"))
    ids.set(logicalId, await createTopic(Properties));
  return ids;
}

/** Replaces `!Ref` and `!GetAtt` with their values, at any depth. */
export function resolve(value: unknown, ids: PhysicalIds): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, ids));
  if (typeof value !== "object" || value === null) return value;
  if ("Ref" in value) return known(ids, String(value.Ref)).ref;
  if ("Fn::GetAtt" in value) {
    const path = value["Fn::GetAtt"];
    const [logicalId = "", attribute = ""] = Array.isArray(path) ? path : String(path).split(".");
    const found = known(ids, logicalId).attributes[attribute];
    if (found === undefined) throw new Error(`The local stack has no ${logicalId}.${attribute}`);
    return found;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, ids)]));
}

function known(ids: PhysicalIds, logicalId: string) {
  const id = ids.get(logicalId);
  if (!id) throw new Error(`The local stack has no ${logicalId}`);
  return id;
}

async function createTable(client: DynamoDBClient, properties: Resource["Properties"]) {
  const { TableName, BillingMode, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } = properties;
  // CloudFormation's has no StreamEnabled.
  const stream = properties.StreamSpecification as { readonly StreamViewType: StreamViewType } | undefined;
  const StreamSpecification = stream && { StreamEnabled: true, ...stream };
  const input = {
    TableName,
    BillingMode,
    AttributeDefinitions,
    KeySchema,
    GlobalSecondaryIndexes,
    StreamSpecification,
  };
  const ref = String(TableName);
  try {
    await client.send(new CreateTableCommand(input as CreateTableCommandInput));
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1 }, { TableName: ref });
  if (!StreamSpecification) return { ref, attributes: {} };
  let { Table } = await client.send(new DescribeTableCommand({ TableName: ref }));
  // A table that was created before the template gave it a stream. A second stream would hide the records of the first.
  if (!Table?.StreamSpecification?.StreamEnabled) {
    await client.send(new UpdateTableCommand({ TableName: ref, StreamSpecification }));
    ({ Table } = await client.send(new DescribeTableCommand({ TableName: ref })));
  }
  return { ref, attributes: { StreamArn: Table?.LatestStreamArn ?? "" } };
}

async function createQueue(properties: Resource["Properties"], ids: PhysicalIds) {
  const { QueueName, ...attributes } = properties;
  const { QueueUrl = "" } = await sqs.send(
    new CreateQueueCommand({
      QueueName: String(QueueName),
      Attributes: Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => {
          const resolved = resolve(value, ids);
          return [name, typeof resolved === "object" ? JSON.stringify(resolved) : String(resolved)];
        }),
      ),
    }),
  );
  const ref = atEndpoint(QueueUrl);
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: ref, AttributeNames: ["QueueArn"] }),
  );
  return { ref, attributes: { Arn: Attributes.QueueArn ?? "", QueueName: String(QueueName) } };
}

async function createTopic(properties: Resource["Properties"]) {
  const { TopicName, ...attributes } = properties;
  const sns = new SNSClient({});
  try {
    const { TopicArn = "" } = await sns.send(
      new CreateTopicCommand({
        Name: String(TopicName),
        Attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)])),
      }),
    );
    return { ref: TopicArn, attributes: { TopicName: String(TopicName) } };
  } finally {
    sns.destroy();
  }
}

/** The queue's URL at the endpoint of the SDK: an emulator may return a host that does not resolve here. */
export function atEndpoint(queueUrl: string): string {
  const endpoint = process.env.AWS_ENDPOINT_URL_SQS || process.env.AWS_ENDPOINT_URL;
  return endpoint ? new URL(new URL(queueUrl).pathname, endpoint).href : queueUrl;
}
