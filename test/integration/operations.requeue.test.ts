import { randomUUID } from "node:crypto";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamo } from "../../lib/aws/clients.ts";
import { consume } from "../../lib/ledger/consume.ts";
import { fingerprintOf, transactionId } from "../../lib/ledger/idempotency.ts";
import { TransientError } from "../../lib/ledger/ports.ts";
import { requeue } from "../../lib/ledger/requeue.ts";
import { submit } from "../../lib/ledger/submit.ts";
import { type Engines, receive, remove, startEngines } from "../support/engines.ts";
import { run } from "../support/stack.ts";

/** `npm run requeue` on real engines. */
let engines: Engines;

beforeAll(async () => {
  engines = await startEngines("dynoxide");
});

beforeEach(async () => {
  await engines.stopSqs();
  await engines.restartSqs();
});

afterAll(() => engines.stop());

const MINUTE_MS = 60_000;
const tool = (...args: string[]) => run("scripts/requeue.ts", [...args, "--stage", "test"], {});
const newUser = () => `user-${randomUUID()}`;

/** A deposit that was stored as pending so long ago, and whose message is nowhere. */
async function lose(userId: string, amountMinor: bigint, ageMs: number) {
  const content = {
    type: "deposit" as const,
    currency: "USD",
    amountMinor,
    reference: undefined,
    metadata: undefined,
  };
  const transaction = {
    ...content,
    id: transactionId(userId, randomUUID()),
    userId,
    exponent: 2,
    fingerprint: fingerprintOf(content),
    createdAt: new Date(Date.now() - ageMs).toISOString(),
    decision: undefined,
  };
  await ports.store.putPending(transaction);
  return transaction;
}

/** Runs the consumer on all that waits. */
async function consumeAll(): Promise<number> {
  const observer = { committed() {}, retried() {}, deadLettered() {}, failed() {} };
  for (let count = 0; ; ) {
    const messages = await receive(engines.queueUrl);
    if (messages.length === 0) return count;
    const records = messages.map(({ MessageId = "", Body = "", Attributes }) => ({
      recordId: MessageId,
      groupId: Attributes?.MessageGroupId ?? "",
      body: Body,
    }));
    expect(await consume(records, { ...ports, observer })).toEqual([]);
    await remove(
      engines.queueUrl,
      messages.map(({ ReceiptHandle }) => ReceiptHandle),
    );
    count += messages.length;
  }
}

async function amountsOf(userId: string): Promise<bigint[]> {
  const { transactions } = await ports.store.readHistory(userId, {
    limit: 100,
    beforeSequence: undefined,
    currency: undefined,
    status: undefined,
  });
  return transactions.map(({ amountMinor }) => amountMinor).reverse();
}

describe("npm run requeue", () => {
  test("says that there is nothing", async () => {
    expect(await tool("--older-than", "10m")).toEqual({
      code: 0,
      output: "Pending for longer than 10m and resent: 0 (users: 0)\n",
    });
  });

  test("completes what was put and never sent", async () => {
    const alice = newUser();
    await engines.stopSqs();
    const submission = {
      userId: alice,
      idempotencyKey: "key-1",
      type: "deposit" as const,
      currency: "USD",
      amount: "5.00",
      reference: undefined,
      metadata: undefined,
      requestId: "request-1",
    };
    await expect(submit(submission, ports)).rejects.toThrow(TransientError);
    await engines.restartSqs();

    expect((await tool("--older-than", "0s")).output).toContain("resent: 1 (users: 1)");
    await consumeAll();
    expect(await ports.store.readWallet(alice)).toEqual({ sequence: 1, balances: new Map([["USD", 500n]]) });
    expect(await submit(submission, ports)).toMatchObject({ accepted: true, replayed: true });
    expect(await consumeAll()).toBe(0);
  });

  test("sends each user's in the order in which they were made, and leaves younger ones alone", async () => {
    const [alice, bob] = [newUser(), newUser()];
    for (const minutes of [30, 90, 60, 120, 11]) await lose(alice, BigInt(minutes), minutes * MINUTE_MS);
    for (const minutes of [20, 40]) await lose(bob, BigInt(minutes), minutes * MINUTE_MS);
    const young = await lose(alice, 1n, 9 * MINUTE_MS);

    expect((await tool("--older-than", "10m")).output).toContain("resent: 7 (users: 2)");
    expect(await consumeAll()).toBe(7);
    expect(await amountsOf(alice)).toEqual([120n, 90n, 60n, 30n, 11n]);
    expect(await amountsOf(bob)).toEqual([40n, 20n]);
    expect(await ports.store.findTransaction(alice, young.id)).toMatchObject({ decision: undefined });
  });

  test("twice, or of what still waits in the queue, moves no money twice and changes no order", async () => {
    const alice = newUser();
    const first = await lose(alice, 100n, 30 * MINUTE_MS);
    const second = await lose(alice, 50n, 20 * MINUTE_MS);
    for (const { id, userId, type, currency, amountMinor, fingerprint, createdAt } of [first, second]) {
      const command = { id, userId, type, currency, amountMinor };
      await ports.queue.send({ command, fingerprint, acceptedAt: createdAt, requestId: "request-1" });
    }
    await tool("--older-than", "10m");
    await tool("--older-than", "10m");
    await consumeAll();
    await tool("--older-than", "10m");
    await consumeAll();
    expect(await amountsOf(alice)).toEqual([100n, 50n]);
    expect(await ports.store.readWallet(alice)).toEqual({ sequence: 2, balances: new Map([["USD", 150n]]) });
  });

  test("sends nothing of a user ahead of what could not be sent", async () => {
    const [alice, bob] = [newUser(), newUser()];
    const lost = [await lose(alice, 1n, 3), await lose(alice, 2n, 2), await lose(bob, 3n, 1)];
    const sent: string[] = [];
    const queue = {
      ...ports.queue,
      async send({ command }: Parameters<typeof ports.queue.send>[0]) {
        if (command.id === lost[0]?.id) throw new TransientError("no connection");
        sent.push(command.userId);
      },
    };
    async function* pending() {
      yield* lost;
    }
    expect(await requeue(pending(), queue)).toMatchObject({
      transactions: 1,
      users: 2,
      failures: [{ userId: alice, unsent: 2 }],
    });
    expect(sent).toEqual([bob]);
  });

  test("escapes what the tables say, and so does npm run verify", async () => {
    // The queue accepts no U+FFFE.
    const userId = "mallory\x1b[2K\n\ufffe";
    await lose(userId, 1n, 2 * 24 * 60 * MINUTE_MS);
    expect(await tool("--older-than", "1d")).toEqual({
      code: 1,
      output: expect.stringMatching(/\nNot resent, of user mallory\\x1b\[2K\\n\\u\{fffe\}: 1 \([ -~]+\)\n$/),
    });

    const Item = { userId, sequence: 1, balances: { USD: 1n }, updatedAt: new Date().toISOString() };
    await dynamo.send(new PutCommand({ TableName: "antler-test-wallets", Item }));
    const { code, output } = await run("scripts/verify.ts", ["--stage", "test"], {});
    expect(code).toBe(1);
    expect(output).toContain("DISCREPANCY: user mallory\\x1b[2K\\n\\u{fffe} has a");
  });

  test.each([
    [[], "--older-than is missing"],
    [["--older-than"], "Option '--older-than <value>' argument missing"],
    [["--older-than", "10"], "--older-than '10': must be a number of s, m, h or d, such as 10m"],
    [["--older-than", "ten minutes"], "--older-than 'ten minutes': must be a number of s, m, h or d, such as 10m"],
    [["--older-than", "10m", "--user", "alice"], "Unknown option '--user'"],
  ])("with the arguments %j says what is wrong and how it is used", async (args, sentence) => {
    const { code, output } = await run("scripts/requeue.ts", args, {});
    expect({ code, lines: output.trim().split("\n") }).toEqual({
      code: 2,
      lines: [sentence, expect.stringMatching(/^Usage: npm run requeue/)],
    });
  });
});
