import { GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { handler as scheduled } from "../../functions/sweep.ts";
import { ports } from "../../lib/aws/adapters.ts";
import { dynamo } from "../../lib/aws/clients.ts";
import { dynamoDueIndex } from "../../lib/aws/dueIndex.ts";
import { dueAttributes, text, toPendingItem } from "../../lib/aws/items.ts";
import { consume } from "../../lib/ledger/consume.ts";
import type { Message } from "../../lib/ledger/message.ts";
import { type TransactionKey, TransientError } from "../../lib/ledger/ports.ts";
import { ANTLER, operate } from "../../testkit/antler.ts";
import { newUser } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { emittedOf, holdOf, movementsOf, usd } from "../../testkit/movements.ts";
import { consumeAll, receiveAll, receivedRecord, silentObserver } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";
import { commandWith, transactionOf } from "../../testkit/storeContract.ts";

/** `antler sweep`, the scheduled function, and the index `due` on real engines. */
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
const sweepTool = () => operate("sweep");
const sentAgain = (credits: number, expiries: number) => ({
  code: 0,
  output: `Sent again: ${credits} credits, ${expiries} expiries\n`,
});

const PAST = "2020-01-01T00:00:00.000Z";
const FUTURE = "2099-01-01T00:00:00.000Z";
const inMs = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();
const availableOf = async (userId: string) => (await ports.store.readWallet(userId))?.available.get("USD") ?? 0n;

/** Whether the index lists a transaction as due before a time. */
async function isDue({ userId, id }: TransactionKey, time: string): Promise<boolean> {
  for await (const key of dynamoDueIndex.dueBefore(time)) if (key.userId === userId && key.id === id) return true;
  return false;
}

async function itemOf({ userId, id }: TransactionKey) {
  const Key = { userId: text(userId), id: text(id) };
  return (await dynamo.send(new GetItemCommand({ TableName: "antler-test-transactions", Key }))).Item;
}

/** Two users, the first with money. */
async function twoUsers() {
  const [alice, bob] = [newUser("alice"), newUser("bob")];
  await move(alice, { type: "deposit", ...usd("100.00") });
  await move(bob, { type: "status_change", newStatus: "active" });
  return [alice, bob] as const;
}

/** A transfer of 1.00, decided, whose credit could not be sent. */
async function unsentCredit(from: string, to: string): Promise<TransactionKey> {
  const { id } = await accept(from, { type: "transfer", ...usd("1.00"), to });
  const records = (await receiveAll(engines.queueUrl)).map(receivedRecord);
  const sendAll = async (messages: readonly Message[]) =>
    new Map(messages.map((message) => [message, new TransientError("no connection")]));
  const queue = { ...ports.queue, sendAll };
  expect(await consume(records, { ...ports, queue, observer: silentObserver })).toEqual([]);
  return emittedOf(await decided(from, id));
}

describe("antler sweep", () => {
  test("sends nothing if nothing is due", async () => {
    const [alice, bob] = await twoUsers();
    await move(alice, { type: "transfer", ...usd("1.00"), to: bob });
    await move(alice, { type: "hold", ...usd("1.00") });
    expect(await run(ANTLER, ["sweep", "--stage", "test"], {})).toEqual(sentAgain(0, 0));
  });

  test("sends a credit that could not be sent, from a minute on, and it is credited once", async () => {
    const [alice, bob] = await twoUsers();
    const credit = await unsentCredit(alice, bob);
    expect(await sweepTool()).toEqual(sentAgain(0, 0));
    expect([await isDue(credit, inMs(30_000)), await isDue(credit, inMs(61_000))]).toEqual([false, true]);

    await dynamoDueIndex.postpone(credit, PAST);
    expect(await sweepTool()).toEqual(sentAgain(1, 0));
    expect([await isDue(credit, inMs(30_000)), await isDue(credit, inMs(61_000))]).toEqual([false, true]);
    await dynamoDueIndex.postpone(credit, PAST);
    expect(await sweepTool()).toEqual(sentAgain(1, 0));
    await decideAll();
    expect([await availableOf(alice), await availableOf(bob)]).toEqual([9900n, 100n]);
    expect(await isDue(credit, FUTURE)).toBe(false);
    expect(await sweepTool()).toEqual(sentAgain(0, 0));
  });

  test("ends a hold whose time is over, once, and leaves one that is open", async () => {
    const [alice, bob] = await twoUsers();
    const open = await move(alice, { type: "hold", ...usd("2.00"), to: bob });
    const over = holdOf(await move(alice, { type: "hold", ...usd("3.00"), to: bob, expiresAt: inMs(10_000) }));
    expect([await isDue(over, inMs(60_000)), await isDue(over, inMs(71_000))]).toEqual([false, true]);
    await dynamoDueIndex.postpone(over, PAST);
    expect(await sweepTool()).toEqual(sentAgain(0, 1));
    await dynamoDueIndex.postpone(over, PAST);
    expect(await sweepTool()).toEqual(sentAgain(0, 1));
    await decideAll();

    expect(await decided(alice, over.id)).toMatchObject({ remainder: { remainingMinor: 0n, holdStatus: "expired" } });
    expect(await ports.store.readWallet(alice)).toMatchObject({
      sequence: 4,
      available: new Map([["USD", 9800n]]),
      held: new Map([["USD", 200n]]),
    });
    const { transactions } = await ports.store.readHistory(alice, { limit: 1, order: "newest first" });
    expect(transactions).toMatchObject([{ type: "expiry", actor: "ledger", refersTo: over.id }]);
    expect([await isDue(over, FUTURE), await isDue(open, FUTURE)]).toEqual([false, true]);
  });

  test("is what the scheduled function does every minute", async () => {
    const [alice, bob] = await twoUsers();
    const credit = await unsentCredit(alice, bob);
    await scheduled();
    expect(await receiveAll(engines.queueUrl)).toEqual([]);
    await dynamoDueIndex.postpone(credit, PAST);
    await scheduled();
    await decideAll();
    expect(await availableOf(bob)).toBe(100n);
  });

  test("sends credits of every shard of the index", async () => {
    const [alice, bob] = await twoUsers();
    const credits = [];
    for (let time = 1; time <= 24; time++) credits.push(await unsentCredit(alice, bob));
    for (const credit of credits) await dynamoDueIndex.postpone(credit, PAST);
    expect(await sweepTool()).toEqual(sentAgain(24, 0));
    await decideAll();
    expect(await availableOf(bob)).toBe(2400n);
  });

  test("reports what it can't send, with escaped text, and sends the rest", async () => {
    const [alice, bob] = await twoUsers();
    const credit = await unsentCredit(alice, bob);
    await dynamoDueIndex.postpone(credit, PAST);
    // The queue accepts no U+FFFE.
    const source = { type: "transfer", userId: alice, transactionId: "tx_1" } as const;
    const forged = transactionOf(commandWith({ type: "credit", userId: "mallory\x1b[2K\n\ufffe", source }));
    const Item = { ...toPendingItem(forged), ...dueAttributes(forged.id, PAST) };
    await dynamo.send(new PutItemCommand({ TableName: "antler-test-transactions", Item }));

    expect(await sweepTool()).toEqual({
      code: 1,
      output: expect.stringMatching(
        /^Sent again: 1 credits, 0 expiries\nNot sent, of user mallory\\x1b\[2K\\n\\u\{fffe\}: tx_\S+ \([ -~]+\)\n$/,
      ),
    });
    await decideAll();
    expect(await availableOf(bob)).toBe(100n);
    expect(await isDue(forged, inMs(0))).toBe(true);
    await expect(scheduled()).rejects.toThrow("1 transactions could not be sent");
  });
});

describe("the index of what is due", () => {
  test("loses a credit with its decision, also with a rejection, and has the return meanwhile", async () => {
    const [alice, bob] = await twoUsers();
    const credit = await unsentCredit(alice, bob);
    await move(bob, { type: "status_change", newStatus: "closed" });
    expect(await isDue(credit, FUTURE)).toBe(true);
    await dynamoDueIndex.postpone(credit, PAST);
    await sweepTool();
    await consumeAll(engines.queueUrl);
    const returned = emittedOf(await decided(credit.userId, credit.id));
    expect([await isDue(credit, FUTURE), await isDue(returned, FUTURE)]).toEqual([false, true]);
    await decideAll();
    expect([await isDue(returned, FUTURE), await availableOf(alice)]).toEqual([false, 10_000n]);
  });

  test.each(["capture", "release"] as const)(
    "loses a hold with its %s, and keeps it while a part is left",
    async (type) => {
      const [alice] = await twoUsers();
      const hold = holdOf(await move(alice, { type: "hold", ...usd("3.00") }));
      await move(alice, { type: "capture", referred: hold, amount: "1.00", final: false });
      expect(await isDue(hold, FUTURE)).toBe(true);
      await move(alice, type === "capture" ? { type, referred: hold, final: true } : { type, referred: hold });
      expect(await isDue(hold, FUTURE)).toBe(false);
      const item = await itemOf(hold);
      await dynamoDueIndex.postpone(hold, PAST);
      expect(await itemOf(hold)).toEqual(item);
    },
  );

  test("gets no item by a postponement of what does not exist", async () => {
    const key = { userId: newUser(), id: "tx_unknown" };
    await dynamoDueIndex.postpone(key, PAST);
    expect(await itemOf(key)).toBeUndefined();
  });

  test("lists a transaction in whatever shard its id puts it", async () => {
    const source = { type: "transfer", userId: newUser(), transactionId: "tx_1" } as const;
    for (const first of "ABCDEFGHIJKLMNOP") {
      const credit = transactionOf(commandWith({ type: "credit", id: `tx_${first}`, userId: newUser(), source }));
      const Item = { ...toPendingItem(credit), ...dueAttributes(credit.id, PAST) };
      await dynamo.send(new PutItemCommand({ TableName: "antler-test-transactions", Item }));
      expect(await isDue(credit, inMs(0))).toBe(true);
    }
  });
});
