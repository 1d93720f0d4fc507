import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { startFauxqs } from "fauxqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePorts } from "../../testkit/stack.ts";
import { SqsModel } from "./sqs/model.ts";

const RECEIVES_MAX = 2;
const BATCH_MAX = 10;
const GROUPS = ["alice", "bob", "carol"];
const BODIES = ["one", "two", "three", "four", "five", "six"];

let server: Awaited<ReturnType<typeof startFauxqs>>;
let client: SQSClient;
beforeAll(async () => {
  const { SQS_PORT } = await freePorts("SQS_PORT");
  server = await startFauxqs({ port: Number(SQS_PORT), listenHost: "127.0.0.1", logger: false });
  client = new SQSClient({
    endpoint: `http://127.0.0.1:${SQS_PORT}`,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
});
afterAll(async () => {
  client?.destroy();
  await server?.stop();
});

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      body: fc.constantFrom(...BODIES),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("receive" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), which: fc.nat(5) }) },
  // The visibility timeout of all that is in flight ends.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("expire" as const) }) },
);

/** fauxqs keeps deduplication by queue; AWS in high-throughput mode by group. A body is an id, and is sent to one group. */
const groupOf = (body: string): string => GROUPS[BODIES.indexOf(body) % GROUPS.length] ?? "";

/** A queue as the ledger sees it: messages go in, batches come out, handles delete. */
interface Queue {
  send(group: string, body: string): Promise<void>;
  receive(): Promise<{ body: string; group: string; receives: number; handle: string }[]>;
  delete(handle: string): Promise<void>;
  expire(): Promise<void>;
  dead(): Promise<string[]>;
}

test("random operations have the same answers from the model of SQS and from fauxqs", async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 30 }), async (operations) => {
      const queues = [modelled(), await real(`run${++runs}`)];
      const handles: string[][] = [[], []];
      const logs = await Promise.all(
        queues.map(async (queue, index) => {
          const held = handles[index] ?? [];
          const log: unknown[] = [];
          for (const step of operations) {
            if (step.kind === "send") await queue.send(groupOf(step.body), step.body);
            else if (step.kind === "expire") {
              await queue.expire();
              // The model takes a handle as expired with its timeout, as AWS does for FIFO queues; fauxqs does not.
              held.length = 0;
            } else if (step.kind === "delete") {
              const [handle] = held.splice(step.which % Math.max(held.length, 1), 1);
              if (handle) await queue.delete(handle);
            } else {
              // AWS leaves open which groups come first: with room for all only the order inside of each one counts.
              const batch = (await queue.receive()).sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
              held.push(...batch.map(({ handle }) => handle));
              log.push(batch.map(({ body, group, receives }) => ({ body, group, receives })));
            }
          }
          log.push((await queue.dead()).sort());
          return log;
        }),
      );
      expect(logs[0]).toEqual(logs[1]);
    }),
    { numRuns: 60, seed: 7 },
  );
});

function modelled(): Queue {
  let nowMs = 0;
  const [url, deadLetterUrl] = ["commands", "dead"];
  const model = new SqsModel(
    [
      { url, visibilityTimeoutMs: 1000, redrive: { deadLetterUrl, maxReceiveCount: RECEIVES_MAX } },
      { url: deadLetterUrl, visibilityTimeoutMs: 1000 },
    ],
    () => nowMs,
  );
  return {
    async send(groupId, body) {
      model.send(url, { groupId, deduplicationId: body, body, attributes: {} });
    },
    async receive() {
      return model.receive(url, BATCH_MAX).map(({ body, groupId, receiveCount, receiptHandle = "" }) => ({
        body,
        group: groupId,
        receives: receiveCount,
        handle: receiptHandle,
      }));
    },
    async delete(handle) {
      model.delete(url, handle);
    },
    async expire() {
      nowMs += 1001;
    },
    async dead() {
      return model.messages(deadLetterUrl).map(({ body }) => body);
    },
  };
}

async function real(name: string): Promise<Queue> {
  const inFlight = new Set<string>();
  const create = async (suffix: string, attributes: Record<string, string>) => {
    const command = new CreateQueueCommand({
      QueueName: `${name}${suffix}.fifo`,
      Attributes: { FifoQueue: "true", VisibilityTimeout: "600", ...attributes },
    });
    const { QueueUrl = "" } = await client.send(command);
    return QueueUrl;
  };
  const deadLetterUrl = await create("dead", {});
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ["QueueArn"] }),
  );
  const QueueUrl = await create("commands", {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: RECEIVES_MAX }),
  });
  const receive = async (url: string) => {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: BATCH_MAX,
        MessageSystemAttributeNames: ["All"],
      }),
    );
    return Messages;
  };
  return {
    async send(group, body) {
      await client.send(
        new SendMessageCommand({ QueueUrl, MessageBody: body, MessageGroupId: group, MessageDeduplicationId: body }),
      );
    },
    async receive() {
      const messages = await receive(QueueUrl);
      return messages.map(({ Body = "", ReceiptHandle = "", Attributes: attributes }) => {
        inFlight.add(ReceiptHandle);
        return {
          body: Body,
          group: attributes?.MessageGroupId ?? "",
          receives: Number(attributes?.ApproximateReceiveCount),
          handle: ReceiptHandle,
        };
      });
    },
    async delete(ReceiptHandle) {
      inFlight.delete(ReceiptHandle);
      await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    },
    async expire() {
      for (const ReceiptHandle of inFlight) {
        await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
      }
      inFlight.clear();
    },
    async dead() {
      const bodies: string[] = [];
      for (let batch = await receive(deadLetterUrl); batch.length > 0; batch = await receive(deadLetterUrl)) {
        bodies.push(...batch.map(({ Body = "" }) => Body));
      }
      return bodies;
    },
  };
}
