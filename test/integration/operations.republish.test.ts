import { join } from "node:path";
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from "@aws-sdk/client-dynamodb-streams";
import { SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { DynamoDBStreamEvent } from "aws-lambda";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { handler as publish } from "../../functions/publish.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { sqs } from "../../lib/aws/clients.ts";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { eventSchema } from "../../lib/http/schemas.ts";
import { setting } from "../../lib/runtime/config.ts";
import { atEndpoint } from "../../localstack/provision.ts";
import { mapStream } from "../../localstack/streamMapping.ts";
import { ANTLER, operate } from "../../testkit/antler.ts";
import { newUser } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { movementsOf, usd } from "../../testkit/movements.ts";
import { folderForTest } from "../../testkit/perTest.ts";
import { consumeAll, receiveAll, sendRaw } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";

/** The publisher, and `antler republish`, on real engines. */
const engines = await startEngines("dynoxide");
const streams = new DynamoDBStreamsClient();

/** A queue that is subscribed to the topic. */
let subscribed: string;
beforeEach(async () => {
  await engines.stopSqs();
  await engines.restartSqs();
  const { QueueUrl = "" } = await sqs.send(
    new CreateQueueCommand({ QueueName: "subscribed.fifo", Attributes: { FifoQueue: "true" } }),
  );
  subscribed = atEndpoint(QueueUrl);
  const sns = new SNSClient();
  await sns.send(
    new SubscribeCommand({
      TopicArn: setting("EVENTS_TOPIC_ARN"),
      Protocol: "sqs",
      Endpoint: "arn:aws:sqs:us-east-1:000000000000:subscribed.fifo",
      Attributes: { RawMessageDelivery: "true" },
    }),
  );
  sns.destroy();
});

afterAll(async () => {
  streams.destroy();
  await engines.stop();
});

const { move } = movementsOf(ports, async () => {
  while ((await consumeAll(engines.queueUrl)) > 0);
});
const deposit = (userId: string, amount = "1.00") => move(userId, { type: "deposit", ...usd(amount) });
const republish = (...args: string[]) => operate("republish", ...args);

/** Ids of the events that the subscribed queue received since the last call. */
async function receivedIds(): Promise<string[]> {
  const bodies = (await receiveAll(subscribed)).map(({ Body = "" }) => eventSchema.parse(JSON.parse(Body)));
  return bodies.map(({ id }) => id);
}

/** A user with this many deposits. */
async function userWith(deposits: number): Promise<string> {
  const userId = newUser();
  for (let index = 0; index < deposits; index++) await deposit(userId);
  return userId;
}

/** All records of the stream that are about some users. */
async function recordsOf(...userIds: readonly string[]): Promise<DynamoDBStreamEvent> {
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn: engines.streamArn }));
  const shards = (StreamDescription?.Shards ?? []).map(async ({ ShardId }) => {
    const { ShardIterator } = await streams.send(
      new GetShardIteratorCommand({ StreamArn: engines.streamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
    );
    const { Records = [] } = await streams.send(new GetRecordsCommand({ ShardIterator }));
    return Records;
  });
  const records = (await Promise.all(shards)).flat();
  const own = records.filter(({ dynamodb }) => userIds.includes(String(dynamodb?.Keys?.userId?.S)));
  return z.custom<DynamoDBStreamEvent>().parse({ Records: own });
}

/** Lets the event source mapping discard the records of some users, because the function fails them once. */
async function discard(...userIds: readonly string[]): Promise<void> {
  vi.spyOn(console, "error").mockReturnValue();
  const mapping = mapStream(
    {
      streamArn: engines.streamArn,
      batchSize: 100,
      bisectBatchOnFunctionError: true,
      maximumRetryAttempts: 0,
      maximumRecordAgeInSeconds: -1,
      failureQueueUrl: engines.publishFailuresQueueUrl,
      functionName: "antler-test-publish",
      region: "us-east-1",
      positionFile: join(folderForTest(), "position.json"),
    },
    async ({ Records }) => {
      const first = Records.find(({ dynamodb }) => userIds.includes(String(dynamodb?.Keys?.userId?.S)));
      return { batchItemFailures: first ? [{ itemIdentifier: first.dynamodb?.SequenceNumber }] : [] };
    },
  );
  await expect
    .poll(() => republish("--discarded", "--dry-run"))
    .toMatchObject({ output: expect.stringContaining("kept") });
  await mapping.stop();
}

describe("the publisher", () => {
  test("publishes to the subscribers what the stream says, each user's in order", async () => {
    const [alice, bob] = [await userWith(3), await userWith(1)];
    const event = await recordsOf(alice, bob);
    expect(await publish(event)).toEqual({ batchItemFailures: [] });
    expect((await receivedIds()).toSorted()).toEqual([`${alice}/1`, `${alice}/2`, `${alice}/3`, `${bob}/1`].toSorted());
    // SNS drops what it received a moment before.
    expect(await publish(event)).toEqual({ batchItemFailures: [] });
    expect(await receivedIds()).toEqual([]);
  });

  test("fails its records while the topic does not answer", async () => {
    const alice = await userWith(2);
    await engines.stopSqs();
    const event = await recordsOf(alice);
    const failed = await publish(event);
    expect(failed.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(
      event.Records.map(({ dynamodb }) => dynamodb?.SequenceNumber),
    );
    await engines.restartSqs();
  });

  test("reports an unreadable item to the failure queue, from where it can be published once it is repaired", async () => {
    const alice = await userWith(3);
    const Key = {
      userId: alice,
      id: (await ports.store.readHistory(alice, { limit: 1, order: "oldest first" })).transactions[0]?.id,
    };
    const setType = (type: string) =>
      dynamoDocuments.send(
        new UpdateCommand({
          TableName: setting("TRANSACTIONS_TABLE"),
          Key,
          UpdateExpression: "SET #type = :type",
          ExpressionAttributeNames: { "#type": "type" },
          ExpressionAttributeValues: { ":type": type },
        }),
      );
    await setType("gift");
    expect(await publish(await recordsOf(alice))).toEqual({ batchItemFailures: [] });
    expect(await receivedIds()).toEqual([]);

    const kept = await republish("--discarded");
    expect(kept).toMatchObject({
      code: 1,
      output: expect.stringContaining(`  ${alice}: 1-3\n  Published: 0 events; the message is kept\n`),
    });
    expect(kept.output).toContain(
      `Not everything is published of user ${alice}: UnreadableItem: has an unreadable item`,
    );
    await setType("deposit");
    const removed = await republish("--discarded");
    expect(removed).toMatchObject({
      code: 0,
      output: expect.stringContaining("  Published: 3 events; the message is removed\n"),
    });
    expect(await receivedIds()).toEqual([1, 2, 3].map((sequence) => `${alice}/${sequence}`));
    expect(await republish("--discarded")).toEqual({ code: 0, output: "The failure queue has no messages\n" });
  });
});

describe("antler republish", () => {
  test("publishes a range of a user's decisions", async () => {
    const alice = await userWith(5);
    const args = ["--user", alice, "--from", "2", "--to", "4", "--stage", "test"];
    expect(await run(ANTLER, ["republish", ...args], {})).toEqual({
      code: 0,
      output: "Published: 3 events (users: 1)\n",
    });
    expect(await receivedIds()).toEqual([2, 3, 4].map((sequence) => `${alice}/${sequence}`));
    expect((await republish("--user", alice, "--from", "5")).output).toBe("Published: 1 events (users: 1)\n");
    expect(await receivedIds()).toEqual([`${alice}/5`]);
    expect((await republish("--user", alice, "--from", "1", "--dry-run")).output).toBe(
      "To be published: 5 events (users: 1)\n",
    );
    expect(await receivedIds()).toEqual([]);
  });

  test("publishes all users' decisions since a time, and none before", async () => {
    const alice = await userWith(2);
    const { decision } = await deposit(alice);
    const [bob, since] = [await userWith(1), decision.decidedAt];
    expect(await republish("--since", since)).toEqual({ code: 0, output: "Published: 2 events (users: 2)\n" });
    expect((await receivedIds()).toSorted()).toEqual([`${alice}/3`, `${bob}/1`].toSorted());
  });

  test("continues with the other users after an unreadable wallet, and names its user", async () => {
    const since = new Date().toISOString();
    const [broken, alice] = [newUser(), await userWith(1)];
    await dynamoDocuments.send(
      new PutCommand({ TableName: setting("WALLETS_TABLE"), Item: { userId: broken, sequence: 1 } }),
    );
    const { code, output } = await republish("--since", since);
    expect(output).toContain("Published: 1 events (users: 1)\n");
    expect(output).toContain(
      `Not everything is published of user ${broken}: UnreadableItem: has an unreadable item, wallet`,
    );
    expect(code).toBe(1);
    expect(await receivedIds()).toEqual([`${alice}/1`]);
  });

  test("says which decisions a discarded batch had, publishes them and removes its message", async () => {
    const [alice, bob] = [await userWith(2), await userWith(1)];
    await discard(alice, bob);
    const listed = await republish("--discarded", "--dry-run");
    expect(listed).toMatchObject({ code: 0, output: expect.stringContaining("  RetryAttemptsExhausted\n") });
    expect(listed.output).toContain(`  ${alice}: 1-1, 2-2\n`);
    expect(await receivedIds()).toEqual([]);
    const published = await republish("--discarded");
    expect(published).toMatchObject({ code: 0, output: expect.stringContaining("; the message is removed\n") });
    expect(await receivedIds()).toEqual(expect.arrayContaining([`${alice}/1`, `${alice}/2`, `${bob}/1`]));
    expect(await republish("--discarded")).toEqual({ code: 0, output: "The failure queue has no messages\n" });
  });

  test("names the time to publish from, for a batch that the stream does not have any more", async () => {
    const body = {
      requestContext: { condition: "RecordAgeExceeded" },
      DDBStreamBatchInfo: {
        shardId: "shardId-000000000000-00000000",
        startSequenceNumber: "1",
        endSequenceNumber: "2",
        approximateArrivalOfFirstRecord: "2026-11-23T09:30:00.123Z",
        streamArn: engines.streamArn,
      },
    };
    await sendRaw(engines.publishFailuresQueueUrl, "group", JSON.stringify(body));
    const { code, output } = await republish("--discarded");
    expect(output).toContain(
      "The stream does not have its records any more. Publish them with --since 2026-11-23T09:29:00.123Z",
    );
    expect(code).toBe(1);
  });

  test("keeps a message that it can't read", async () => {
    await sendRaw(engines.publishFailuresQueueUrl, "group", "{not json");
    for (const _ of ["first", "second"]) {
      expect(await republish("--discarded")).toMatchObject({
        code: 1,
        output: expect.stringContaining("not a message of the publisher or of Lambda\n  Its decisions are unknown\n"),
      });
    }
  });

  test.each([
    [[], "One of --user, --since and --discarded is needed"],
    [["--user", "alice", "--discarded"], "One of --user, --since and --discarded is needed"],
    [["--user", "alice"], "--user and --from need each other"],
    [["--since", "2026-11-23T09:30:00Z", "--from", "1"], "--user and --from need each other"],
    [["--user", "alice", "--from", "3", "--to", "2"], "--to must not be below --from"],
    [["--since", "yesterday"], "--since 'yesterday': must be a time such as 2026-11-23T09:30:00Z"],
    [["--user", "alice", "--from", "0"], "--from '0': must be a whole number from 1 to 999999999"],
  ])("refuses %j", async (args, message) => {
    const { code, output } = await republish(...args);
    expect([code, output.split("\n")[0]]).toEqual([2, message]);
  });

  test("says which decision is the last, for a range that is not there", async () => {
    const alice = await userWith(1);
    for (const range of [
      ["--from", "2"],
      ["--from", "1", "--to", "2"],
    ]) {
      expect(await republish("--user", alice, ...range)).toEqual({
        code: 1,
        output: `The last decision of user ${alice} has the sequence number 1\n`,
      });
    }
  });
});
