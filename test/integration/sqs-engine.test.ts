import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect, Socket } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateTopicCommand, PublishBatchCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import type { Message } from "@aws-sdk/client-sqs";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  createQueue,
  createQueueWithDeadLetters,
  type Engine,
  type FifoQueue,
  startEngine,
} from "../../testkit/fauxqs.ts";
import { folderForTest } from "../../testkit/perTest.ts";

/** Behaviour of SQS and SNS that the ledger needs and `patches/fauxqs+2.4.1.patch` adds to the local engine. */

const HIGH_THROUGHPUT = { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" };

describe("A message group", () => {
  test("is received in order, up to the number that the receive allows", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("1", "2", "3", "4");

    expect(bodies(await queue.receive({ MaxNumberOfMessages: 3 }))).toEqual(["1", "2", "3"]);
  });

  test("shares a receive with the next group", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("1", "2");
    await queue.sendTo("another group", "3", "4");

    expect(bodies(await queue.receive({ MaxNumberOfMessages: 3 }))).toEqual(["1", "2", "3"]);
  });

  test("is locked until the last of its messages in flight is deleted, and locks no other group", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("1", "2", "3");
    const [first, second] = await queue.receive({ MaxNumberOfMessages: 2 });
    await queue.sendTo("another group", "other");

    await queue.delete(first);
    expect(bodies(await queue.receive())).toEqual(["other"]);

    await queue.delete(second);
    expect(bodies(await queue.receive())).toEqual(["3"]);
  });

  test("is received again in order, before later messages, when its messages are released", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("1", "2", "3", "4");
    const [first, second, third] = await queue.receive({ MaxNumberOfMessages: 3 });

    for (const message of [second, first, third]) await queue.release(message);

    expect(bodies(await queue.receive())).toEqual(["1", "2", "3", "4"]);
  });

  test("is received again in order, before later messages, when their visibility timeout ends", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("1", "2", "3", "4");
    await queue.receive({ MaxNumberOfMessages: 3, VisibilityTimeout: 1 });

    expect(bodies(await queue.receive({ WaitTimeSeconds: 20 }))).toEqual(["1", "2", "3", "4"]);
  });
});

describe("A dead-letter queue", () => {
  test("gets a message that was received too often, and the rest of its group is available at once", async () => {
    const { queue, deadLetters } = await createQueueWithDeadLetters(await startEngine());
    await queue.send("poison", "2", "3");
    await queue.release(...(await queue.receive({ MaxNumberOfMessages: 1 })));

    const rest = await queue.receive();
    expect(bodies(rest)).toEqual(["2", "3"]);
    expect(rest.map(receiveCount)).toEqual([1, 1]);
    const [poison] = await deadLetters.receive();
    expect(poison).toMatchObject({ Body: "poison", Attributes: { MessageGroupId: "group" } });
  });

  test("keeps the order in which messages reached it, moved there or sent there", async () => {
    const { queue, deadLetters } = await createQueueWithDeadLetters(await startEngine());
    await queue.sendTo("another group", "so that the next number is high");
    await queue.receive();
    await queue.send("moved");
    await queue.release(...(await queue.receive()));
    await queue.receive();
    await deadLetters.send("sent");

    await deadLetters.release(...(await deadLetters.receive()));

    expect(bodies(await deadLetters.receive())).toEqual(["moved", "sent"]);
  });

  test("loses no message when the engine dies while it moves one", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    const { queue } = await createQueueWithDeadLetters(engine);
    await queue.send("poison");
    await queue.release(...(await queue.receive()));
    const repair = breakStorage(dataDir);
    await expect(queue.receive()).rejects.toThrow();
    await engine.stop();
    repair();

    const { queue: again, deadLetters } = await createQueueWithDeadLetters(await startEngine(dataDir));

    expect(bodies(await again.receive())).toEqual([]);
    expect(bodies(await deadLetters.receive())).toEqual(["poison"]);
  });
});

describe("A long poll", () => {
  test("keeps waiting when a message arrives in a locked group", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("1");
    const [first] = await queue.receive();
    const { received } = await startPoll(queue);

    await queue.send("2");
    await queue.delete(first);

    expect(bodies(await received)).toEqual(["2"]);
  });

  test("returns no message after its wait time", async () => {
    const queue = await createQueue(await startEngine());
    const startedAt = performance.now();

    expect(await queue.receive({ WaitTimeSeconds: 1 })).toEqual([]);
    expect(performance.now() - startedAt).toBeGreaterThan(950);
  });

  test("takes no message for a client that has hung up", async () => {
    const engine = await startEngine();
    const queue = await createQueue(engine);
    const hangUp = new AbortController();
    const { received, socket } = await startPoll(queue, hangUp.signal);
    const closed = once(socket, "close");
    hangUp.abort();
    await expect(received).rejects.toThrow("aborted");
    await closed;

    await queue.send("1");

    expect(bodies(await queue.receive())).toEqual(["1"]);
  });

  test("ends with its queue", async () => {
    const engine = await startEngine();
    const { received } = await startPoll(await createQueue(engine));

    engine.server.deleteQueue("queue.fifo");

    const late = sleep(5_000, "still waiting", { ref: false });
    expect(await Promise.race([received, late])).toEqual([]);
  });

  test("ends with the engine and leaves no timer behind", async () => {
    const before = timers();
    const engine = await startEngine();
    const { received } = await startPoll(await createQueue(engine));
    const ended = Promise.allSettled([received]);
    expect(timers()).toBeGreaterThan(before);

    await engine.stop();
    await ended;

    expect(timers()).toBeLessThanOrEqual(before);
  });
});

describe("Deduplication", () => {
  test("is by group and id if the queue's scope is the message group", async () => {
    const queue = await createQueue(await startEngine(), HIGH_THROUGHPUT);
    await queue.sendOnce({ group: "a", id: "same", body: "1" });
    await queue.sendOnce({ group: "b", id: "same", body: "2" });
    await queue.sendOnce({ group: "a", id: "same", body: "3" });
    await queue.sendBatch({ group: "b", id: "same", body: "4" }, { group: "c", id: "same", body: "5" });

    expect(bodies(await queue.receive())).toEqual(["1", "2", "5"]);
  });

  test("is by id alone if the queue's scope is the queue", async () => {
    const queue = await createQueue(await startEngine());
    await queue.sendOnce({ group: "a", id: "same", body: "1" });
    await queue.sendOnce({ group: "b", id: "same", body: "2" });

    expect(bodies(await queue.receive())).toEqual(["1"]);
  });

  test("does not drop the retry of a failed send", async () => {
    const dataDir = folderForTest();
    const queue = await createQueue(await startEngine(dataDir));
    const one = { group: "a", id: "1", body: "one" };
    const two = { group: "a", id: "2", body: "two" };
    const repair = breakStorage(dataDir);
    await expect(queue.sendOnce(one)).rejects.toThrow();
    await expect(queue.sendBatch(two)).rejects.toThrow();
    repair();

    await queue.sendOnce(one);
    await queue.sendBatch(two);

    expect(bodies(await queue.receive())).toEqual(["one", "two"]);
  });
});

describe("A FIFO topic", () => {
  /** A topic with a queue that gets its messages raw. */
  async function topicWithQueue(engine: Engine, attributes: Record<string, string> = {}) {
    const { port } = engine.server;
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const sns = new SNSClient({
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      credentials,
      maxAttempts: 1,
    });
    onTestFinished(() => sns.destroy());
    const { TopicArn } = await sns.send(
      new CreateTopicCommand({
        Name: "events.fifo",
        Attributes: { FifoTopic: "true", FifoThroughputScope: "MessageGroup" },
      }),
    );
    const queue = await createQueue(engine, { DeduplicationScope: "messageGroup" }, "subscriber.fifo");
    const { QueueArn } = await queue.attributes();
    const Attributes = { RawMessageDelivery: "true", ...attributes };
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: QueueArn, Attributes }));
    const publish = async (...entries: [group: string, id: string, body: string][]) =>
      sns.send(
        new PublishBatchCommand({
          TopicArn,
          PublishBatchRequestEntries: entries.map(([group, id, body], index) => ({
            Id: String(index),
            Message: body,
            MessageGroupId: group,
            MessageDeduplicationId: id,
            MessageAttributes: { type: { DataType: "String", StringValue: "deposit" } },
          })),
        }),
      );
    const received = async () => (await queue.receive()).map(({ Body }) => Body);
    return { publish, received, queue };
  }

  test("delivers each message once to its queue, in the order of its group, also after a restart", async () => {
    const dataDir = folderForTest();
    const first = await startEngine(dataDir);
    const { publish } = await topicWithQueue(first);
    const { Failed = [] } = await publish(["alice", "1", "a1"], ["bob", "1", "b1"]);
    expect(Failed).toEqual([]);
    await publish(["alice", "2", "a2"], ["alice", "1", "a1"]);
    await first.stop();

    const again = await topicWithQueue(await startEngine(dataDir));
    await again.publish(["bob", "2", "b2"]);
    expect(await again.received()).toEqual(["a1", "a2", "b1", "b2"]);
  });

  test("filters by members of the message, at any depth", async () => {
    const filter = { data: { type: ["deposit"], userId: ["alice"] } };
    const { publish, received } = await topicWithQueue(await startEngine(), {
      FilterPolicyScope: "MessageBody",
      FilterPolicy: JSON.stringify(filter),
    });
    const body = (userId: string, type: string) => JSON.stringify({ type: "other", data: { type, userId } });
    await publish(
      ["a", "1", body("alice", "hold")],
      ["b", "1", body("bob", "deposit")],
      ["c", "1", body("alice", "deposit")],
    );
    expect(await received()).toEqual([body("alice", "deposit")]);
  });

  test("does not drop the retry of a message that could not be stored", async () => {
    const dataDir = folderForTest();
    const { publish, received } = await topicWithQueue(await startEngine(dataDir));
    const repair = breakStorage(dataDir);
    await expect(publish(["alice", "1", "a1"])).rejects.toThrow();
    repair();
    await publish(["alice", "1", "a1"]);
    expect(await received()).toEqual(["a1"]);
  });
});

describe("A queue", () => {
  test("accepts every character that SQS accepts", async () => {
    const queue = await createQueue(await startEngine());
    await queue.send("\u{1F98C}");

    expect(bodies(await queue.receive())).toEqual(["\u{1F98C}"]);
  });

  test("has the attributes that it was created with, and can be created again with them after a restart", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    const attributes = { ...HIGH_THROUGHPUT, VisibilityTimeout: "60" };
    const queue = await createQueue(engine, attributes);
    await queue.send("1");
    await engine.stop();

    const again = await createQueue(await startEngine(dataDir), attributes);

    expect(await again.attributes()).toMatchObject({ ...attributes, FifoQueue: "true" });
    expect(bodies(await again.receive())).toEqual(["1"]);
  });

  test("keeps its messages when the server's own createQueue creates it again", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    await (await createQueue(engine)).send("1");
    await engine.stop();

    const restarted = await startEngine(dataDir);
    restarted.server.createQueue("queue.fifo", { attributes: { FifoQueue: "true" } });
    await restarted.stop();

    expect(bodies(await (await createQueue(await startEngine(dataDir))).receive())).toEqual(["1"]);
  });
});

describe("A restart", () => {
  test("keeps the order of a group, in whatever order its messages are stored", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    await (await createQueue(engine)).send("1", "2", "3");
    await engine.stop();
    withStorage(dataDir, "UPDATE sqs_messages SET rowid = -rowid");

    const queue = await createQueue(await startEngine(dataDir));

    expect(bodies(await queue.receive())).toEqual(["1", "2", "3"]);
  });

  test("keeps the messages of a queue that was tagged", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    const queue = await createQueue(engine);
    await queue.send("1", "2");
    await queue.tag({ team: "payments" });
    await engine.stop();

    const again = await createQueue(await startEngine(dataDir));
    expect(bodies(await again.receive())).toEqual(["1", "2"]);
  });

  test("keeps messages in flight, their group locked and their receipt handles valid", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    const before = await createQueue(engine);
    await before.send("1", "2", "3");
    const [first, second] = await before.receive({ MaxNumberOfMessages: 2 });
    await engine.stop();

    const queue = await createQueue(await startEngine(dataDir));
    expect(await queue.receive()).toEqual([]);
    await queue.delete(first);
    expect(await queue.receive()).toEqual([]);
    await queue.release(second);

    const rest = await queue.receive();
    expect(bodies(rest)).toEqual(["2", "3"]);
    expect(rest.map(receiveCount)).toEqual([2, 1]);
  });

  test("keeps a released message, and how often it was received", async () => {
    const dataDir = folderForTest();
    const engine = await startEngine(dataDir);
    const before = await createQueue(engine);
    await before.send("1", "2");
    await before.release(...(await before.receive({ MaxNumberOfMessages: 1 })));
    await engine.stop();

    const messages = await (await createQueue(await startEngine(dataDir))).receive();

    expect(bodies(messages)).toEqual(["1", "2"]);
    expect(messages.map(receiveCount)).toEqual([2, 1]);
  });
});

describe("The engine", () => {
  test("listens only on the address that is set", async () => {
    const { server } = await startEngine();
    const elsewhere = connect({ host: "127.0.0.2", port: server.port });
    onTestFinished(() => void elsewhere.destroy());

    await expect(once(elsewhere, "connect")).rejects.toThrow();
  });
});

/** Starts a long poll of an empty queue. Resolves once the server has it, with the server's end of the connection. */
async function startPoll(queue: FifoQueue, abortSignal?: AbortSignal) {
  const arrival = Promise.withResolvers<Socket>();
  const onRequest = (event: unknown) => {
    if (typeof event === "object" && event !== null && "socket" in event && event.socket instanceof Socket) {
      arrival.resolve(event.socket);
    }
  };
  subscribe("http.server.request.start", onRequest);
  const received = queue.receive({ WaitTimeSeconds: 20 }, abortSignal);
  const socket = await arrival.promise;
  unsubscribe("http.server.request.start", onRequest);
  // By the time that another request is answered the poll waits.
  await queue.attributes();
  return { received, socket };
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}

function bodies(messages: Message[]): (string | undefined)[] {
  return messages.map((message) => message.Body);
}

function receiveCount(message: Message): number {
  return Number(message.Attributes?.ApproximateReceiveCount);
}

/** Makes the engine fail to store a message, as a full disk does, until the returned function is called. */
function breakStorage(dataDir: string): () => void {
  withStorage(
    dataDir,
    "CREATE TRIGGER full_disk BEFORE INSERT ON sqs_messages BEGIN SELECT RAISE(ABORT, 'full disk'); END",
  );
  return () => withStorage(dataDir, "DROP TRIGGER full_disk");
}

function withStorage(dataDir: string, statement: string): void {
  const database = new DatabaseSync(join(dataDir, "fauxqs.db"));
  database.exec(statement);
  database.close();
}
