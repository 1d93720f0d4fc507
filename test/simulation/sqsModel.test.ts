import type { Message } from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createQueueWithDeadLetters, type Engine, startEngine } from "../../testkit/fauxqs.ts";
import { SqsModel } from "./sqs/model.ts";

const RECEIVES_MAX = 2;
const BATCH_MAX = 10;
const GROUPS = ["alice", "bob", "carol"];
const BODIES = ["one", "two", "three", "four", "five", "six"];

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("send" as const), body: fc.constantFrom(...BODIES) }) },
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
  const engine = await startEngine();
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 30 }), async (operations) => {
      const queues = [modelled(), await real(engine, `run${++runs}`)];
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
      const messages = model.receive(url, BATCH_MAX);
      return messages.map(({ body, groupId: group, receiveCount: receives, receiptHandle: handle = "" }) => {
        return { body, group, receives, handle };
      });
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

async function real(engine: Engine, name: string): Promise<Queue> {
  const { queue, deadLetters } = await createQueueWithDeadLetters(engine, RECEIVES_MAX, name);
  const inFlight = new Map<string, Message>();
  return {
    async send(group, body) {
      await queue.sendOnce({ group, id: body, body });
    },
    async receive() {
      return (await queue.receive()).map((message) => {
        const { Body = "", ReceiptHandle = "", Attributes } = message;
        inFlight.set(ReceiptHandle, message);
        const { MessageGroupId = "", ApproximateReceiveCount } = Attributes ?? {};
        return { body: Body, group: MessageGroupId, receives: Number(ApproximateReceiveCount), handle: ReceiptHandle };
      });
    },
    async delete(handle) {
      await queue.delete(inFlight.get(handle));
      inFlight.delete(handle);
    },
    async expire() {
      await queue.release(...inFlight.values());
      inFlight.clear();
    },
    async dead() {
      const messages: Message[] = [];
      for (let batch = await deadLetters.receive(); batch.length > 0; batch = await deadLetters.receive()) {
        messages.push(...batch);
      }
      return messages.map(({ Body = "" }) => Body);
    },
  };
}
