import { setTimeout } from "node:timers/promises";
import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { commandOf } from "../../lib/domain/transaction.ts";
import { type Message, userIdOf } from "../../lib/ledger/message.ts";
import { TransientError } from "../../lib/ledger/ports.ts";
import { requeue } from "../../lib/ledger/requeue.ts";
import { type Request, submit } from "../../lib/ledger/submit.ts";
import { ANTLER, operate } from "../../testkit/antler.ts";
import { newUser } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { submissionWith } from "../../testkit/inMemoryPorts.ts";
import { holdOf, movementsOf, usd } from "../../testkit/movements.ts";
import { consumeAll } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";
import { commandWith, NEWEST, transactionOf } from "../../testkit/storeContract.ts";

/** `antler requeue` on real engines. */
const engines = await startEngines("dynoxide");

beforeEach(async () => {
  await engines.stopSqs();
  await engines.restartSqs();
});

afterAll(() => engines.stop());

const decideAll = async () => {
  while ((await consumeAll(engines.queueUrl)) > 0);
};
const { accept, move, decided } = movementsOf(ports, decideAll);
const MINUTE_MS = 60_000;
const requeueTool = (...args: string[]) => operate("requeue", ...args);

/** Stores a pending deposit of this age whose message was never sent. */
async function putUnsent(userId: string, amountMinor: bigint, ageMs: number) {
  const createdAt = new Date(Date.now() - ageMs).toISOString();
  const transaction = transactionOf(commandWith({ userId, amountMinor, createdAt }));
  await ports.store.putPending(transaction);
  return transaction;
}

async function amountsOf(userId: string) {
  const { transactions } = await ports.store.readHistory(userId, NEWEST);
  return transactions.map(({ amountMinor }) => amountMinor).reverse();
}

describe("antler requeue", () => {
  test("reports that no transaction is pending", async () => {
    expect(await run(ANTLER, ["requeue", "--older-than", "10m", "--stage", "test"], {})).toEqual({
      code: 0,
      output: "Pending for longer than 10m and resent: 0 (users: 0)\n",
    });
  });

  test("completes a command that was stored and never sent", async () => {
    const alice = newUser();
    await engines.stopSqs();
    const submission = submissionWith({ userId: alice, amount: "5.00" });
    await expect(submit(submission, ports)).rejects.toThrow(TransientError);
    await engines.restartSqs();

    expect((await requeueTool("--older-than", "0s")).output).toContain("resent: 1 (users: 1)");
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 1, available: new Map([["USD", 500n]]) });
    expect(await submit(submission, ports)).toMatchObject({ accepted: true, replayed: true });
    expect(await consumeAll(engines.queueUrl)).toBe(0);
  });

  test("sends each user's commands in the order of their creation, and skips younger ones", async () => {
    const [alice, bob] = [newUser(), newUser()];
    for (const minutes of [30, 90, 60, 120, 11]) await putUnsent(alice, BigInt(minutes), minutes * MINUTE_MS);
    for (const minutes of [20, 40]) await putUnsent(bob, BigInt(minutes), minutes * MINUTE_MS);
    const young = await putUnsent(alice, 1n, 9 * MINUTE_MS);

    expect((await requeueTool("--older-than", "10m")).output).toContain("resent: 7 (users: 2)");
    // One message for each user.
    expect(await consumeAll(engines.queueUrl)).toBe(2);
    expect(await amountsOf(alice)).toEqual([120n, 90n, 60n, 30n, 11n]);
    expect(await amountsOf(bob)).toEqual([40n, 20n]);
    expect(await ports.store.findTransaction(alice, young.id)).toMatchObject({ decision: undefined });
  });

  test("sends up to 100 commands of a user in a message, in order, and stops at the first that fails", async () => {
    const alice = newUser();
    const commands = Array.from({ length: 250 }, (_, index) =>
      transactionOf(commandWith({ userId: alice, createdAt: new Date(Date.now() + index).toISOString() })),
    );
    async function* pending() {
      yield* commands.toReversed();
    }
    const sent: Message[] = [];
    const send = async (message: Message) => void sent.push(message);
    expect(await requeue(pending(), { send })).toEqual({ transactions: 250, users: 1, failures: [], unreadable: [] });
    expect(sent.map((message) => message.commands.length)).toEqual([100, 100, 50]);
    expect(sent.flatMap((message) => message.commands)).toEqual(commands.map(commandOf));

    const error = new TransientError("no connection");
    const second = async (message: Message) => {
      if (message.commands[0]?.id === commands[100]?.id) throw error;
    };
    const failures = [{ userId: alice, unsent: 150, error }];
    expect(await requeue(pending(), { send: second })).toMatchObject({ transactions: 100, failures });
  });

  test("run twice, or with the message still in the queue, moves no money twice and keeps the order", async () => {
    const alice = newUser();
    const first = await putUnsent(alice, 100n, 30 * MINUTE_MS);
    const second = await putUnsent(alice, 50n, 20 * MINUTE_MS);
    for (const transaction of [first, second])
      await ports.queue.send({ commands: [commandOf(transaction)], requestId: "request-1" });
    await requeueTool("--older-than", "10m");
    await requeueTool("--older-than", "10m");
    await consumeAll(engines.queueUrl);
    await requeueTool("--older-than", "10m");
    await consumeAll(engines.queueUrl);
    expect(await amountsOf(alice)).toEqual([100n, 50n]);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 2, available: new Map([["USD", 150n]]) });
  });

  test("sends no later command of a user after one that could not be sent", async () => {
    const [alice, bob] = [newUser(), newUser()];
    const unsent = [await putUnsent(alice, 1n, 3), await putUnsent(alice, 2n, 2), await putUnsent(bob, 3n, 1)];
    const sent: string[] = [];
    const queue = {
      ...ports.queue,
      async send(message: Message) {
        if (message.commands.some(({ id }) => id === unsent[0]?.id)) throw new TransientError("no connection");
        sent.push(userIdOf(message));
      },
    };
    async function* pending() {
      yield* unsent;
    }
    expect(await requeue(pending(), queue)).toMatchObject({
      transactions: 1,
      users: 2,
      failures: [{ userId: alice, unsent: 2 }],
    });
    expect(sent).toEqual([bob]);
  });

  test("completes every movement, each user's in order, and credits that other wallets sent", async () => {
    // The commands that other tests left pending.
    await requeueTool("--older-than", "0s");
    await decideAll();
    const [alice, bob] = [newUser("alice"), newUser("bob")];
    const deposit = await move(alice, { type: "deposit", ...usd("100.00") });
    await move(bob, { type: "status_change", newStatus: "active" });
    const promised = holdOf(await move(alice, { type: "hold", ...usd("10.00"), to: bob }));
    const own = holdOf(await move(alice, { type: "hold", ...usd("5.00") }));
    const requests: readonly Request[] = [
      { type: "transfer", ...usd("1.00"), to: bob },
      { type: "hold", ...usd("2.00"), to: bob },
      { type: "capture", referred: promised, final: true },
      { type: "release", referred: own },
      { type: "exchange", sell: usd("3.00"), buy: { currency: "JPY", amount: "450" } },
      { type: "reversal", referred: deposit, amount: "4.00" },
      { type: "withdrawal", ...usd("5.00") },
      { type: "status_change", newStatus: "frozen" },
    ];
    const ids: string[] = [];
    for (const request of requests) {
      ids.push((await accept(alice, request)).id);
      await setTimeout(2);
    }
    await engines.stopSqs();
    await engines.restartSqs();

    expect((await requeueTool("--older-than", "0s")).output).toContain("resent: 8 (users: 1)");
    await consumeAll(engines.queueUrl);
    const sequences = [];
    for (const id of ids) {
      const { decision } = await decided(alice, id);
      expect(decision.outcome).toEqual({ status: "posted" });
      sequences.push(decision.sequence);
    }
    expect(sequences).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);

    // The credits of the transfer and of the capture are lost.
    await engines.stopSqs();
    await engines.restartSqs();
    expect((await requeueTool("--older-than", "0s")).output).toContain("resent: 2 (users: 1)");
    await decideAll();
    expect(await ports.store.readWallet(alice)).toMatchObject({
      status: "frozen",
      available: new Map(Object.entries({ USD: 7500n, JPY: 450n })),
      held: new Map([["USD", 200n]]),
    });
    expect(await ports.store.readWallet(bob)).toMatchObject({ available: new Map([["USD", 1100n]]) });
    expect((await requeueTool("--older-than", "0s")).output).toContain("resent: 0");
  });

  test("resends the others if a transaction is unreadable, and names it", async () => {
    const [alice, bob] = [newUser("alice"), newUser("bob")];
    const unreadable = await putUnsent(alice, 1n, 2 * 24 * 60 * MINUTE_MS);
    const { id } = await putUnsent(bob, 2n, 2 * 24 * 60 * MINUTE_MS);
    const Item = { userId: alice, id: unreadable.id, status: "pending" };
    await dynamoDocuments.send(new PutCommand({ TableName: "antler-test-transactions", Item }));
    const { code, output } = await requeueTool("--older-than", "1d");
    expect(code).toBe(1);
    expect(output).toContain(`Not resent: user ${alice} has an unreadable item, transaction ${unreadable.id}`);
    await decideAll();
    expect((await decided(bob, id)).decision.outcome).toEqual({ status: "posted" });
    await dynamoDocuments.send(
      new DeleteCommand({ TableName: "antler-test-transactions", Key: { userId: alice, id: unreadable.id } }),
    );
  });

  test("escapes text from the tables, and so does antler verify", async () => {
    // The queue accepts no U+FFFE.
    const userId = "mallory\x1b[2K\n\ufffe";
    await putUnsent(userId, 1n, 2 * 24 * 60 * MINUTE_MS);
    expect(await requeueTool("--older-than", "1d")).toEqual({
      code: 1,
      output: expect.stringMatching(/\nNot resent, of user mallory\\x1b\[2K\\n\\u\{fffe\}: 1 \([ -~]+\)\n$/),
    });

    const Item = { userId, sequence: 1, balances: { USD: 1n }, updatedAt: new Date().toISOString() };
    await dynamoDocuments.send(new PutCommand({ TableName: "antler-test-wallets", Item }));
    const { code, output } = await operate("verify");
    expect(code).toBe(1);
    expect(output).toContain("UNREADABLE: user mallory\\x1b[2K\\n\\u{fffe} has a");
  });
});
