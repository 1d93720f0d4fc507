import { randomUUID } from "node:crypto";
import { SendMessageCommand, type Message as SqsMessage } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ports } from "../../lib/aws/adapters.ts";
import { sqs } from "../../lib/aws/clients.ts";
import { type ReceivedDeadLetter, sqsDeadLetters } from "../../lib/aws/deadLetters.ts";
import { consume } from "../../lib/ledger/consume.ts";
import { fingerprintOf, transactionId } from "../../lib/ledger/idempotency.ts";
import { decodeMessage, encodeMessage } from "../../lib/ledger/message.ts";
import { type DeadLetterQueue, redrive } from "../../lib/ledger/redrive.ts";
import { submit } from "../../lib/ledger/submit.ts";
import { type Engines, receive, remove, startEngines } from "../support/engines.ts";
import { run } from "../support/stack.ts";

/** `npm run dlq` on real engines. */
let engines: Engines;

beforeAll(async () => {
  engines = await startEngines("dynoxide");
});

beforeEach(async () => {
  await engines.stopSqs();
  await engines.restartSqs();
});

afterAll(() => engines.stop());

const dlq = (...args: string[]) => run("scripts/dlq.ts", [...args, "--stage", "test"], {});
const newUser = () => `user-${randomUUID()}`;

/** What the queue hands out next, taken out of it. */
async function takeOut(queueUrl: string): Promise<SqsMessage[]> {
  const messages = await receive(queueUrl);
  await remove(
    queueUrl,
    messages.map(({ ReceiptHandle }) => ReceiptHandle),
  );
  return messages;
}

async function takeOutAll(queueUrl: string): Promise<SqsMessage[]> {
  const all: SqsMessage[] = [];
  for (let next = await takeOut(queueUrl); next.length > 0; next = await takeOut(queueUrl)) all.push(...next);
  return all;
}

const toRecord = ({ MessageId = "", Body = "", Attributes }: SqsMessage) => ({
  recordId: MessageId,
  groupId: Attributes?.MessageGroupId ?? "",
  body: Body,
});

/** Accepts commands and puts them among the dead letters, as a consumer that fails for ever would. */
async function accept(userId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let step = 1; step <= count; step++) {
    const submitted = await submit(
      {
        userId,
        idempotencyKey: `key-${step}`,
        type: "deposit",
        currency: "USD",
        amount: `${step}.00`,
        reference: undefined,
        metadata: undefined,
        requestId: "request-1",
      },
      ports,
    );
    if (submitted.accepted) ids.push(submitted.transaction.id);
  }
  return ids;
}

async function setAllAside(): Promise<void> {
  for (const message of await takeOutAll(engines.queueUrl)) {
    await ports.queue.sendToDeadLetters(toRecord(message), "invalid_write");
  }
}

function setAsideRaw(userId: string, body: string) {
  return sqs.send(
    new SendMessageCommand({
      QueueUrl: engines.deadLetterQueueUrl,
      MessageGroupId: userId,
      MessageDeduplicationId: randomUUID(),
      MessageBody: body,
    }),
  );
}

/** Runs the consumer on all that waits. */
async function consumeAll(): Promise<void> {
  const observer = { committed() {}, retried() {}, deadLettered() {}, failed() {} };
  const records = (await takeOutAll(engines.queueUrl)).map(toRecord);
  expect(await consume(records, { ...ports, observer })).toEqual([]);
}

const idsOf = (messages: readonly SqsMessage[], userId: string) =>
  messages
    .filter(({ Attributes }) => Attributes?.MessageGroupId === userId)
    .map(({ Body = "" }) => decodeMessage(Body)?.command.id ?? Body);

describe("npm run dlq -- list and show", () => {
  test("say that there is nothing", async () => {
    expect(await dlq("list")).toEqual({ code: 0, output: "Dead-letter messages: 0\n" });
    expect(await dlq("redrive")).toEqual({ code: 0, output: "Resent: 0\n" });
    const { code, output } = await dlq("show", "nothing");
    expect({ code, lines: output.trim().split("\n") }).toEqual({
      code: 1,
      lines: [expect.stringContaining("No dead-letter message or transaction nothing")],
    });
  });

  test("tell who, what and why, and give everything back in its order", async () => {
    const alice = newUser();
    const [first = "", second = ""] = await accept(alice, 2);
    await setAllAside();
    await setAsideRaw("nobody", "{not json");

    for (let time = 1; time <= 2; time++) {
      const { code, output } = await dlq("list");
      expect(code).toBe(0);
      expect(output).toContain("Dead-letter messages: 3");
      expect(output.indexOf(first)).toBeGreaterThan(0);
      expect(output.indexOf(second)).toBeGreaterThan(output.indexOf(first));
      expect(output).toMatch(new RegExp(`${alice}  ${first}  invalid_write`));
      expect(output).toMatch(/nobody {2}\(no command\) {2}failed in every delivery/);
    }

    const shown = await dlq("show", second);
    expect(shown.code).toBe(0);
    expect(shown.output).toMatch(/command +deposit 2\.00 USD/);
    expect(shown.output).toMatch(/stored +pending deposit 2\.00 USD/);
    expect(shown.output).toMatch(/by request request-1/);
    const [, messageId = ""] = /message +(\S+)/.exec(shown.output) ?? [];
    expect((await dlq("show", messageId)).output).toBe(shown.output);

    const left = await takeOutAll(engines.deadLetterQueueUrl);
    expect(idsOf(left, alice)).toEqual([first, second]);
    expect(left).toHaveLength(3);
  });

  test("escape what a message says, so that it can neither start a line nor control the terminal", async () => {
    const command = { type: "deposit", currency: "US\nD", amountMinor: 100n } as const;
    const forged = { ...command, id: "tx\u202e", userId: "mallory\x1b[2K\nDead-letter messages: 0" };
    const message = { fingerprint: "print", acceptedAt: new Date().toISOString(), requestId: "request\t\\" };
    const record = { recordId: "1", groupId: "mallory", body: encodeMessage({ command: forged, ...message }) };
    await ports.queue.sendToDeadLetters(record, "malformed");
    await setAsideRaw("nobody", "{not\njson\t\\");

    const listed = (await dlq("list")).output;
    expect(listed).toMatch(/^[ -~\n]+$/);
    expect(listed.split("\n")).toHaveLength(4);
    expect(listed).toContain("  mallory\\x1b[2K\\nDead-letter messages: 0  tx\\u{202e}  malformed\n");

    const shown = (await dlq("show", forged.id)).output;
    expect(shown).toMatch(/^[ -~\n]+$/);
    expect(shown).toContain("user           mallory\\x1b[2K\\nDead-letter messages: 0\n");
    expect(shown).toContain("transaction    tx\\u{202e}\ncommand        deposit 100 minor units of US\\nD\n");
    expect(shown).toContain("by request request\\t\\\\\n");
    const [, unreadable = ""] = /^(\S+) .*nobody/m.exec(listed) ?? [];
    expect((await dlq("show", unreadable)).output).toContain("body           {not\\njson\\t\\\\\n");

    const redriven = (await dlq("redrive")).output;
    expect(redriven).toMatch(/^[ -~\n]+$/);
    expect(redriven).toContain("  mallory\\x1b[2K\\nDead-letter messages: 0  tx\\u{202e}  resent\n");
  });
});

describe("npm run dlq -- redrive", () => {
  test("sends everything back in each user's order, minutes after it was first sent too", async () => {
    const [alice, bob] = [newUser(), newUser()];
    const ofAlice = await accept(alice, 23);
    const ofBob = await accept(bob, 2);
    await setAllAside();

    const { code, output } = await dlq("redrive");
    expect(code).toBe(0);
    expect(output).toContain("Resent: 25\n");
    for (const id of [...ofAlice, ...ofBob]) expect(output).toContain(id);
    expect(await takeOutAll(engines.deadLetterQueueUrl)).toEqual([]);
    const waiting = await takeOutAll(engines.queueUrl);
    expect(idsOf(waiting, alice)).toEqual(ofAlice);
    expect(idsOf(waiting, bob)).toEqual(ofBob);
  });

  test("--user sends back this user's only; the others keep their places and are not hidden", async () => {
    const [alice, bob] = [newUser(), newUser()];
    const ofAlice = await accept(alice, 12);
    const ofBob = await accept(bob, 3);
    await setAllAside();

    expect((await dlq("redrive", "--user", bob)).output).toContain("Resent: 3\n");
    expect(idsOf(await takeOutAll(engines.queueUrl), bob)).toEqual(ofBob);
    expect(idsOf(await takeOutAll(engines.deadLetterQueueUrl), alice)).toEqual(ofAlice);
    expect((await dlq("redrive", "--user", "nobody")).output).toBe("Resent: 0\n");
  });

  test("of what was decided meanwhile moves nothing, and of what was not decides it", async () => {
    const alice = newUser();
    await accept(alice, 2);
    const messages = await takeOutAll(engines.queueUrl);
    for (const message of messages) await ports.queue.sendToDeadLetters(toRecord(message), "invalid_write");
    const observer = { committed() {}, retried() {}, deadLettered() {}, failed() {} };
    await consume(messages.slice(0, 1).map(toRecord), { ...ports, observer });
    expect(await ports.store.readWallet(alice)).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });

    expect((await dlq("redrive")).output).toContain("Resent: 2\n");
    await consumeAll();
    expect(await ports.store.readWallet(alice)).toEqual({ sequence: 2, balances: new Map([["USD", 300n]]) });
  });

  test("of a forged message posts what was accepted, also where SQS dropped the true message", async () => {
    const alice = newUser();
    const accepted = {
      userId: alice,
      idempotencyKey: "key-1",
      type: "deposit",
      currency: "USD",
      amount: "1.00",
      reference: undefined,
      metadata: undefined,
      requestId: "request-1",
    } as const;
    const content = { ...accepted, amountMinor: 100n };
    const id = transactionId(alice, "key-1");
    const command = { type: "deposit", id, userId: alice, currency: "USD", amountMinor: 999_999_999n } as const;
    // The attacker knows the key, and sends first, under the deduplication id of the true message.
    await ports.queue.send({
      command,
      fingerprint: fingerprintOf(content),
      acceptedAt: "2026-11-23T09:30:00.000Z",
      requestId: "forged",
    });
    await consumeAll();
    expect((await dlq("list")).output).toMatch(new RegExp(`${id}  unknown_transaction`));
    expect(await submit(accepted, ports)).toMatchObject({ accepted: true });
    await consumeAll();
    expect(await ports.store.readWallet(alice)).toBeUndefined();
    const { output } = await dlq("show", id);
    expect(output).toMatch(/command +deposit 9999999\.99 USD/);
    expect(output).toMatch(/stored +pending deposit 1\.00 USD/);

    expect((await dlq("redrive")).output).toContain("Resent: 1\n");
    await consumeAll();
    expect(await ports.store.readWallet(alice)).toEqual({ sequence: 1, balances: new Map([["USD", 100n]]) });
    expect(await takeOutAll(engines.deadLetterQueueUrl)).toEqual([]);
  });

  test("that is killed after it sent and before it removed is made good by the next", async () => {
    const alice = newUser();
    await accept(alice, 3);
    await setAllAside();
    const real = sqsDeadLetters(30);
    const killed: DeadLetterQueue<ReceivedDeadLetter> = {
      ...real,
      remove: () => Promise.reject(new Error("killed")),
    };
    await expect(redrive(killed, ports.store, undefined, () => {})).rejects.toThrow("killed");
    await consumeAll();
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 1 });

    expect((await dlq("redrive")).output).toContain("Resent: 3\n");
    await consumeAll();
    expect(await ports.store.readWallet(alice)).toEqual({ sequence: 3, balances: new Map([["USD", 600n]]) });
    expect(await takeOutAll(engines.deadLetterQueueUrl)).toEqual([]);
  });

  test("that can't send stops there, so that nothing goes ahead of it", async () => {
    const alice = newUser();
    const ids = await accept(alice, 3);
    await setAllAside();
    const real = sqsDeadLetters(30);
    let sends = 0;
    const failing: DeadLetterQueue<ReceivedDeadLetter> = {
      ...real,
      resend: (message, body) =>
        ++sends === 2 ? Promise.reject(new Error("no connection")) : real.resend(message, body),
    };
    await expect(redrive(failing, ports.store, undefined, () => {})).rejects.toThrow("no connection");
    expect(idsOf(await takeOutAll(engines.queueUrl), alice)).toEqual(ids.slice(0, 1));
    expect(idsOf(await takeOutAll(engines.deadLetterQueueUrl), alice)).toEqual(ids.slice(1));
  });

  test("of poison that comes back at once ends, and leaves it there", async () => {
    await setAsideRaw("nobody", "{not json");
    const real = sqsDeadLetters(30);
    const busy: DeadLetterQueue<ReceivedDeadLetter> = {
      ...real,
      async remove(letter) {
        await real.remove(letter);
        await consumeAll();
      },
    };
    expect(await redrive(busy, ports.store, undefined, () => {})).toEqual({ returned: 1 });
    expect(idsOf(await takeOutAll(engines.deadLetterQueueUrl), "nobody")).toEqual(["{not json"]);
  });
});

describe("npm run dlq", () => {
  test.each([
    [[], "ACTION is missing"],
    [["look"], "ACTION 'look': must be list, show or redrive"],
    [["list", "more"], "Unexpected argument 'more'"],
    [["list", "--user", "alice"], "list has no --user"],
    [["show"], "ID is missing"],
    [["redrive", "--user", ""], "--user '': must not be empty"],
    [["list", "--all"], "Unknown option '--all'"],
  ])("with the arguments %j says what is wrong and how it is used", async (args, sentence) => {
    const { code, output } = await run("scripts/dlq.ts", args, {});
    expect({ code, lines: output.trim().split("\n") }).toEqual({
      code: 2,
      lines: [sentence, expect.stringMatching(/^Usage: npm run dlq/)],
    });
  });

  test("says in one line that there is no such stage, or no local stack", async () => {
    const elsewhere = await run("scripts/dlq.ts", ["list", "--stage", "elsewhere"], {});
    expect(elsewhere).toEqual({ code: 1, output: expect.stringMatching(/^There is no queue antler-elsewhere-.*\n$/) });
    const stopped = await run("scripts/dlq.ts", ["list"], { AWS_PORT: "1", AWS_ENDPOINT_URL: "" });
    expect(stopped).toEqual({ code: 1, output: expect.stringMatching(/^The local stack does not run.*\n$/) });
  });
});
