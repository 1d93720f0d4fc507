import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { type Answer, CREDENTIALS, fakeAwsForTest } from "../testkit/fakeAws.ts";
import { folderForTest } from "../testkit/perTest.ts";
import { mapStream } from "./streamMapping.ts";

/** Shards as they are on AWS and, after four hours, in DynamoDB Local. test/integration has the tests on engines. */

interface FakeShard {
  readonly id: string;
  readonly parent?: string;
  /** Sequence numbers. */
  readonly records: string[];
  isClosed?: boolean;
}

const errors = vi.spyOn(console, "error");
beforeEach(() => void errors.mockReset().mockReturnValue());
afterEach(() => vi.unstubAllEnvs());

/** A stream with these shards; the test can change them. `refuse` returns the name of an exception, or nothing. */
async function fakeStream(shards: FakeShard[], refuse: (operation: string, input: string) => string | undefined) {
  const answer = ({ headers, body }: { headers: Readonly<Record<string, string>>; body: string }): Answer => {
    const operation = headers["x-amz-target"]?.split(".")[1] ?? "";
    const exception = refuse(operation, body);
    if (exception) return { status: 400, body: { __type: `com.amazonaws.dynamodb.v20120810#${exception}` } };
    const input = JSON.parse(body);
    if (operation === "DescribeStream") {
      const Shards = shards.map(({ id, parent }) => ({ ShardId: id, ParentShardId: parent }));
      return { body: { StreamDescription: { Shards } } };
    }
    if (operation === "GetShardIterator") {
      const records = shards.find(({ id }) => id === input.ShardId)?.records ?? [];
      const index = input.SequenceNumber === undefined ? 0 : records.indexOf(input.SequenceNumber);
      return { body: { ShardIterator: `${input.ShardId} ${index}` } };
    }
    const [id, index] = input.ShardIterator.split(" ");
    const { records, isClosed = false } = shards.find((shard) => shard.id === id) ?? { records: [] };
    const some = records.slice(Number(index), Number(index) + input.Limit);
    const next = Number(index) + some.length;
    return {
      body: {
        Records: some.map((SequenceNumber) => ({ dynamodb: { SequenceNumber } })),
        ...(!(isClosed && next === records.length) && { NextShardIterator: `${id} ${next}` }),
      },
    };
  };
  const { url } = await fakeAwsForTest({ answer });
  const environment = {
    AWS_ENDPOINT_URL_DYNAMODB_STREAMS: url,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const delivered: (string | undefined)[] = [];
  const positionFile = join(folderForTest(), "position.json");
  const start = () => {
    const { stop } = mapStream(
      {
        ...{ streamArn: "stream", batchSize: 2, bisectBatchOnFunctionError: true, functionName: "publish" },
        ...{ maximumRetryAttempts: -1, maximumRecordAgeInSeconds: -1, failureQueueUrl: "", region: "us-east-1" },
        positionFile,
      },
      async ({ Records }) => void delivered.push(...Records.map(({ dynamodb }) => dynamodb?.SequenceNumber)),
    );
    let stopped: Promise<void> | undefined;
    const stopOnce = () => {
      stopped ??= stop();
      return stopped;
    };
    onTestFinished(stopOnce);
    return stopOnce;
  };
  return { delivered, start };
}

test("a shard is read after its parent, also one that begins later; each record once across restarts", async () => {
  const parent: FakeShard = { id: "parent", parent: "trimmed", records: ["1", "2", "3"] };
  const shards: FakeShard[] = [{ id: "child", parent: "parent", records: ["4"] }, parent];
  const { delivered, start } = await fakeStream(shards, () => undefined);
  const stop = start();
  await expect.poll(() => delivered).toEqual(["1", "2", "3"]);
  parent.records.push("3.5");
  parent.isClosed = true;
  await expect.poll(() => delivered).toEqual(["1", "2", "3", "3.5", "4"]);
  await stop();

  start();
  shards.push({ id: "grandchild", parent: "child", records: ["6"] });
  const [child] = shards;
  child?.records.push("5");
  if (child) child.isClosed = true;
  await expect.poll(() => delivered).toEqual(["1", "2", "3", "3.5", "4", "5", "6"]);
  expect(errors).not.toHaveBeenCalled();
});

test("an iterator that expires, and an error of the engine, lose no record and repeat none", async () => {
  const failures = ["ExpiredIteratorException", "InternalServerError"];
  const shard: FakeShard = { id: "shard", records: ["1", "2", "3"] };
  const { delivered, start } = await fakeStream([shard], (operation) =>
    operation === "GetRecords" && delivered.length > 0 ? failures.pop() : undefined,
  );
  start();
  await expect.poll(() => delivered).toEqual(["1", "2", "3"]);
  expect(failures).toEqual([]);
});

test("a position that is trimmed is reported, and the shard is read from its oldest record on", async () => {
  const shard: FakeShard = { id: "shard", records: ["1"] };
  const { delivered, start } = await fakeStream([shard], (_, input) =>
    input.includes("AT_SEQUENCE_NUMBER") ? "TrimmedDataAccessException" : undefined,
  );
  const stop = start();
  await expect.poll(() => delivered).toEqual(["1"]);
  await stop();
  shard.records.splice(0, 1, "5");
  start();
  await expect.poll(() => delivered).toEqual(["1", "5"]);
  expect(errors).toHaveBeenCalledWith(expect.stringMatching(/^The stream has no record 1 of shard any more/));
});
