import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { DynamoDBStreamEvent } from "aws-lambda";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { setting } from "../../lib/runtime/config.ts";
import { mapStream, type StreamSource } from "../../localstack/streamMapping.ts";
import { newUser } from "../../testkit/client.ts";
import { type DynamoEngine, type Engines, startEngines } from "../../testkit/engines.ts";
import { folderForTest } from "../../testkit/perTest.ts";
import { receiveAll } from "../../testkit/queue.ts";

const hasJava = spawnSync("java", ["-version"]).status === 0;
const errors = vi.spyOn(console, "error").mockReturnValue();

type Responder = (items: readonly string[], event: DynamoDBStreamEvent) => unknown;

/** The same tests on every engine, in a file each, because an SDK client keeps its first endpoint. */
export function describeStreamMappingOn(engine: DynamoEngine): void {
  describe.runIf(engine === "dynoxide" || hasJava)(`the mapping of a stream on ${engine}`, () => {
    let engines: Engines;
    beforeAll(async () => {
      engines = await startEngines(engine);
    });
    afterEach(() => errors.mockClear());
    afterAll(() => engines.stop());

    /** Names of the items, as the function saw them in each invocation; only those of this test. */
    function mapping(change: Partial<StreamSource> = {}, respond: Responder = () => undefined) {
      const name = newUser();
      const invocations: string[][] = [];
      const start = () => {
        const mapped = mapStream(
          {
            streamArn: engines.streamArn,
            batchSize: 100,
            bisectBatchOnFunctionError: true,
            maximumRetryAttempts: -1,
            maximumRecordAgeInSeconds: -1,
            failureQueueUrl: engines.publishFailuresQueueUrl,
            functionName: "antler-test-publish",
            region: "us-east-1",
            positionFile,
            ...change,
          },
          async (event) => {
            const own = event.Records.filter(({ dynamodb }) => dynamodb?.Keys?.userId?.S?.startsWith(name));
            if (own.length === 0) return undefined;
            const items = own.map(({ dynamodb }) => String(dynamodb?.Keys?.userId?.S?.slice(name.length + 1)));
            invocations.push(items);
            return respond(items, { Records: own });
          },
        );
        const stop = () => (stopped ??= mapped.stop());
        let stopped: Promise<void> | undefined;
        onTestFinished(stop);
        return { ...mapped, stop };
      };
      const positionFile = join(folderForTest(), "position.json");
      const write = async (...items: string[]) => {
        for (const item of items) {
          const Item = { userId: `${name}-${item}`, sequence: 1 };
          await dynamoDocuments.send(new PutCommand({ TableName: setting("WALLETS_TABLE"), Item }));
        }
      };
      const remove = (item: string) =>
        dynamoDocuments.send(
          new DeleteCommand({ TableName: setting("WALLETS_TABLE"), Key: { userId: `${name}-${item}` } }),
        );
      return { invocations, start, write, remove, positionFile, delivered: () => invocations.flat() };
    }

    const idOf = (event: DynamoDBStreamEvent, index: number) => event.Records[index]?.dynamodb?.SequenceNumber;

    test("delivers each record once, in order, with the images that Lambda has", async () => {
      const events: DynamoDBStreamEvent[] = [];
      const { start, write, remove, delivered } = mapping({ batchSize: 2 }, (_, event) => void events.push(event));
      start();
      await write("a", "b", "c", "d", "e");
      await remove("a");
      await expect.poll(delivered).toEqual(["a", "b", "c", "d", "e", "a"]);
      const records = events.flatMap(({ Records }) => Records);
      expect(records[0]).toMatchObject({
        eventName: "INSERT",
        eventSource: "aws:dynamodb",
        eventSourceARN: engines.streamArn,
        awsRegion: "us-east-1",
        dynamodb: {
          ApproximateCreationDateTime: expect.any(Number),
          NewImage: { sequence: { N: "1" } },
          StreamViewType: "NEW_AND_OLD_IMAGES",
        },
      });
      expect(records.at(-1)).toMatchObject({ eventName: "REMOVE", dynamodb: { OldImage: { sequence: { N: "1" } } } });
      expect(Math.max(...events.map(({ Records }) => Records.length))).toBeLessThanOrEqual(2);
    });

    test("polls at once when it is woken", async () => {
      const { start, write, delivered } = mapping({ pollPauseMs: { min: 60_000, max: 60_000 } });
      const { wake } = start();
      for (const item of ["a", "b", "c"]) {
        await write(item);
        await vi.waitUntil(() => delivered().includes(item) || wake(), { interval: 100, timeout: 30_000 });
      }
    });

    test("delivers the records from the first failed one on again", async () => {
      let failures = 0;
      const { start, write, invocations } = mapping({}, (items, event) => {
        if (!items.includes("b") || failures === 2) return undefined;
        failures++;
        const id = idOf(event, items.indexOf("b"));
        return { batchItemFailures: [{ itemIdentifier: idOf(event, items.length - 1) }, { itemIdentifier: id }] };
      });
      await write("a", "b", "c");
      start();
      await expect
        .poll(() => invocations)
        .toEqual([
          ["a", "b", "c"],
          ["b", "c"],
          ["b", "c"],
        ]);
    });

    test.each<[string, Responder]>([
      ["throws", () => Promise.reject(new Error("Planned"))],
      ["reports a record of another batch", () => ({ batchItemFailures: [{ itemIdentifier: "1000" }] })],
    ])("discards a batch whose function always %s, and goes on", async (_, respond) => {
      const { start, write, delivered } = mapping({ maximumRetryAttempts: 1, batchSize: 3 }, (items, event) =>
        items.includes("poison") ? respond(items, event) : undefined,
      );
      await write("a", "poison", "b");
      start();
      await write("c");
      await expect.poll(() => delivered().at(-1)).toBe("c");
      const messages = (await receiveAll(engines.publishFailuresQueueUrl)).map(({ Body = "" }) => JSON.parse(Body));
      expect(messages).toHaveLength(1);
      expect(messages[0]).toMatchObject({
        requestContext: { condition: "RetryAttemptsExhausted", approximateInvokeCount: 2 },
        version: "1.0",
        DDBStreamBatchInfo: {
          streamArn: engines.streamArn,
          shardId: expect.stringMatching(/^shardId-/),
          startSequenceNumber: expect.stringMatching(/^\d+$/),
          approximateArrivalOfFirstRecord: expect.stringMatching(/^\d{4}-/),
        },
      });
    });

    test("isolates a record for which the function throws by halving the batch", async () => {
      const { start, write, delivered } = mapping({ maximumRetryAttempts: 0 }, (items) => {
        if (items.includes("poison")) throw new Error("Planned");
      });
      await write("a", "b", "poison", "c", "d");
      start();
      await expect.poll(() => delivered().at(-1)).toBe("d");
      const [message] = await receiveAll(engines.publishFailuresQueueUrl);
      expect(JSON.parse(message?.Body ?? "").DDBStreamBatchInfo).toMatchObject({ batchSize: 1 });
    });

    test("discards records that are too old", async () => {
      const { start, write, delivered } = mapping({ maximumRecordAgeInSeconds: -3600 });
      await write("a");
      start();
      const conditions = async () =>
        (await receiveAll(engines.publishFailuresQueueUrl)).map(
          ({ Body = "" }) => JSON.parse(Body).requestContext.condition,
        );
      await expect.poll(conditions).toContain("RecordAgeExceeded");
      expect(delivered()).toEqual([]);
    });

    test("continues after the stored position, and delivers a batch that was not done again", async () => {
      let isFailing = false;
      const { start, write, delivered, invocations } = mapping({}, () => {
        if (isFailing) throw new Error("Planned");
      });
      const first = start();
      await write("a");
      await expect.poll(delivered).toEqual(["a"]);
      isFailing = true;
      await write("b");
      await expect.poll(() => delivered().length).toBeGreaterThan(1);
      await first.stop();
      isFailing = false;
      invocations.length = 0;
      start();
      await write("c");
      await expect.poll(delivered).toEqual(["b", "c"]);
    });

    test.each<[string, (stored: string) => string]>([
      [
        "does not have any more",
        (stored) =>
          stored.replace(/"(\d+)"(?=})/, (_, last) => `"${String(BigInt(last) + 1000n).padStart(last.length, "0")}"`),
      ],
      ["never had", (stored) => stored.replace(/"\d+"(?=})/, '"first"')],
    ])("reads from the oldest record on, and reports it, when the stream %s the position", async (_, change) => {
      const { start, write, delivered, invocations, positionFile } = mapping();
      const first = start();
      await write("a");
      await expect.poll(delivered).toEqual(["a"]);
      await first.stop();
      const stored = readFileSync(positionFile, "utf8");
      writeFileSync(positionFile, change(stored));
      expect(readFileSync(positionFile, "utf8")).not.toBe(stored);
      invocations.length = 0;
      start();
      await expect.poll(delivered).toEqual(["a"]);
      expect(errors).toHaveBeenCalledWith(expect.stringMatching(/^The stream has no record .+ npm run republish$/));
    });

    test("reads a stream from the start when its file is of another stream or can't be read", async () => {
      const { start, write, delivered, invocations, positionFile } = mapping();
      await write("a");
      const changes = [(stored: string) => stored.replace(/"streamArn":"[^"]+"/, '"streamArn":"another"'), () => "{"];
      for (const change of changes) {
        const mapped = start();
        await expect.poll(delivered).toEqual(["a"]);
        await mapped.stop();
        invocations.length = 0;
        writeFileSync(positionFile, change(readFileSync(positionFile, "utf8")));
      }
      start();
      await expect.poll(delivered).toEqual(["a"]);
      expect(errors).toHaveBeenCalledWith(expect.stringContaining(positionFile), expect.anything());
    });
  });
}
