import { SendMessageBatchCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { commandWith } from "../../testkit/storeContract.ts";
import { encodeMessage, type Message } from "../ledger/message.ts";
import { type QueueRecord, TransientError } from "../ledger/ports.ts";
import { sqs } from "./clients.ts";
import { sqsQueue } from "./queue.ts";

type Answer = (entries: readonly { readonly Id: string | undefined }[]) => object;

/** The bodies of each batch that was sent. */
let sent: (string | undefined)[][];

beforeEach(() => {
  vi.stubEnv("COMMANDS_QUEUE_URL", "https://sqs/commands.fifo");
  vi.stubEnv("DEAD_LETTER_QUEUE_URL", "https://sqs/dead-letters.fifo");
  sent = [];
});

/** Answers batches as SQS does. */
function answerWith(answer: Answer) {
  return vi.spyOn(sqs, "send").mockImplementation(async (command: unknown) => {
    if (!(command instanceof SendMessageBatchCommand)) throw new Error("Messages are sent in batches");
    const { Entries = [] } = command.input;
    sent.push(Entries.map(({ MessageBody }) => MessageBody));
    return { ...answer(Entries), $metadata: {} };
  });
}

const messagesFor = (count: number): Message[] =>
  Array.from({ length: count }, (_, index) => ({
    commands: [commandWith({ userId: `user-${index}` }), commandWith({ userId: `user-${index}` })],
    requestId: "request-1",
  }));
const succeed: Answer = (entries) => ({ Successful: entries.map(({ Id }) => ({ Id })) });

describe("sendAll", () => {
  it.each([
    [0, []],
    [1, [1]],
    [10, [10]],
    [11, [10, 1]],
    [100, Array(10).fill(10)],
  ])("sends %i messages in calls of at most ten: %j", async (count, calls) => {
    answerWith(succeed);
    const messages = messagesFor(count);
    expect(await sqsQueue.sendAll(messages)).toEqual(new Map());
    expect(sent.map(({ length }) => length)).toEqual(calls);
    expect(sent.flat()).toEqual(messages.map(encodeMessage));
  });

  it("sends each in its user's group, under the id of its commands, with entry ids that are unique in the call", async () => {
    const send = answerWith(succeed);
    const [first, second] = messagesFor(2);
    if (!first || !second) throw new Error("There are two messages");
    // A repeated request has the same commands.
    await sqsQueue.sendAll([first, second, { ...first, requestId: "request-2" }]);
    const [command] = send.mock.calls[0] ?? [];
    const { QueueUrl, Entries = [] } = command instanceof SendMessageBatchCommand ? command.input : {};
    expect(QueueUrl).toBe("https://sqs/commands.fifo");
    expect(Entries.map(({ MessageGroupId }) => MessageGroupId)).toEqual(["user-0", "user-1", "user-0"]);
    expect(new Set(Entries.map(({ Id }) => Id)).size).toBe(3);
    const ids = Entries.map(({ MessageDeduplicationId }) => MessageDeduplicationId);
    expect(ids[2]).toBe(ids[0]);
    expect(ids[1]).not.toBe(ids[0]);
  });

  it("reports the messages that SQS did not accept, and only these", async () => {
    const Failed = [
      { Id: "1", SenderFault: false, Code: "InternalError", Message: "try again" },
      { Id: "3", SenderFault: true, Code: "InvalidMessageContents" },
    ];
    answerWith((entries) => ({ Successful: entries.filter(({ Id }) => Id === "0" || Id === "2"), Failed }));
    const messages = messagesFor(4);
    const unsent = await sqsQueue.sendAll(messages);
    expect([...unsent.keys()]).toEqual([messages[1], messages[3]]);
    for (const error of unsent.values()) expect(error).toBeInstanceOf(TransientError);
    expect([...unsent.values()][0]?.message).toContain("InternalError try again");
  });

  it("reports all messages of a call that fails, and none of the others", async () => {
    const cause = new Error("no connection");
    answerWith((entries) => {
      if (entries.length === 10 && sent.length === 1) throw cause;
      return succeed(entries);
    });
    const messages = messagesFor(15);
    const unsent = await sqsQueue.sendAll(messages);
    expect([...unsent.keys()]).toEqual(messages.slice(0, 10));
    for (const error of unsent.values()) expect(error).toMatchObject({ name: "TransientError", cause });
  });

  it("reports every message when the service is down", async () => {
    answerWith(() => {
      throw new Error("no connection");
    });
    const messages = messagesFor(25);
    expect([...(await sqsQueue.sendAll(messages)).keys()]).toEqual(messages);
  });
});

describe("sendToDeadLetters", () => {
  it("has a deduplication id of the record and the body, so that each command of a record is kept once", async () => {
    const ids: (string | undefined)[] = [];
    vi.spyOn(sqs, "send").mockImplementation(async (command: unknown) => {
      if (!(command instanceof SendMessageCommand)) throw new Error("Dead letters are sent one by one");
      expect(command.input).toMatchObject({ QueueUrl: "https://sqs/dead-letters.fifo", MessageGroupId: "alice" });
      ids.push(command.input.MessageDeduplicationId);
      return { $metadata: {} };
    });
    const bodyOf = (id: string) => encodeMessage({ commands: [commandWith({ id })], requestId: "request-1" });
    const record: QueueRecord = { recordId: "r-1", groupId: "alice", body: bodyOf("tx_1"), isRedelivered: false };
    const again = { ...record, isRedelivered: true };
    for (const each of [record, again, { ...record, body: bodyOf("tx_2") }, { ...record, recordId: "r-2" }]) {
      await sqsQueue.sendToDeadLetters(each, "malformed");
    }
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});
