import type { Message as SqsMessage } from "@aws-sdk/client-sqs";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { ports } from "../../lib/aws/adapters.ts";
import { type ReceivedDeadLetter, sqsDeadLetters } from "../../lib/aws/deadLetters.ts";
import { dynamoDocuments } from "../../lib/aws/documents.ts";
import { commandOf } from "../../lib/domain/transaction.ts";
import { consume } from "../../lib/ledger/consume.ts";
import { transactionId } from "../../lib/ledger/idempotency.ts";
import { commandsIn, decodeMessage, encodeMessage, MalformedCommand } from "../../lib/ledger/message.ts";
import { type DeadLetterQueue, redrive } from "../../lib/ledger/redrive.ts";
import { type Request, submit } from "../../lib/ledger/submit.ts";
import { ANTLER, operate } from "../../testkit/antler.ts";
import { newUser } from "../../testkit/client.ts";
import { startEngines } from "../../testkit/engines.ts";
import { submissionWith } from "../../testkit/inMemoryPorts.ts";
import { emittedOf, holdOf, movementsOf, usd } from "../../testkit/movements.ts";
import { consumeAll, receiveAll, receivedRecord, sendRaw, silentObserver } from "../../testkit/queue.ts";
import { run } from "../../testkit/stack.ts";
import { commandWith } from "../../testkit/storeContract.ts";

/** `antler dlq` on real engines. */
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
const queue = sqsDeadLetters(30);
const dlq = (...args: string[]) => operate("dlq", ...args);

/** @returns the ids of the accepted commands, whose messages are in the queue */
async function acceptDeposits(userId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let step = 1; step <= count; step++) {
    const submission = submissionWith({ userId, idempotencyKey: `key-${step}`, amount: `${step}.00` });
    const submitted = await submit(submission, ports);
    if (submitted.accepted) ids.push(submitted.transaction.id);
  }
  return ids;
}

async function deadLetterAll(): Promise<void> {
  for (const message of await receiveAll(engines.queueUrl)) {
    await ports.queue.sendToDeadLetters(receivedRecord(message), "invalid_write");
  }
}

/** Redrives everything, with a queue that differs from the real one. */
function redriveWith(change: Partial<DeadLetterQueue<ReceivedDeadLetter>>) {
  return redrive({ ...queue, ...change }, ports.store, undefined, () => {});
}

const idsOf = (messages: readonly SqsMessage[], userId: string) =>
  messages
    .filter(({ Attributes }) => Attributes?.MessageGroupId === userId)
    .map(({ Body = "" }) => commandsIn(decodeMessage(Body))[0]?.id ?? Body);

describe("antler dlq list and show", () => {
  test("report an empty dead-letter queue", async () => {
    const listed = await run(ANTLER, ["dlq", "list", "--stage", "test"], {});
    expect(listed).toEqual({ code: 0, output: "Dead-letter messages: 0\n" });
    expect(await dlq("redrive")).toEqual({ code: 0, output: "Resent: 0\n" });
    const { code, output } = await dlq("show", "missing-id");
    expect({ code, lines: output.trim().split("\n") }).toEqual({
      code: 1,
      lines: [expect.stringContaining("No dead-letter message or transaction missing-id")],
    });
  });

  test("show the user, the command and the reason, and leave every message in the queue, in order", async () => {
    const alice = newUser();
    const [first = "", second = ""] = await acceptDeposits(alice, 2);
    await deadLetterAll();
    await sendRaw(engines.deadLetterQueueUrl, "unknown", "{not json");

    for (let time = 1; time <= 2; time++) {
      const { code, output } = await dlq("list");
      expect(code).toBe(0);
      expect(output).toContain("Dead-letter messages: 3");
      expect(output.indexOf(first)).toBeGreaterThan(0);
      expect(output.indexOf(second)).toBeGreaterThan(output.indexOf(first));
      expect(output).toMatch(new RegExp(`${alice}  ${first}  invalid_write`));
      expect(output).toMatch(/unknown {2}\(no command\) {2}failed in every delivery/);
    }

    const shown = await dlq("show", second);
    expect(shown.code).toBe(0);
    expect(shown.output).toMatch(/command +deposit 2\.00 USD/);
    expect(shown.output).toMatch(/stored +pending deposit 2\.00 USD/);
    expect(shown.output).toMatch(/by request request-1/);
    const [, messageId = ""] = /message +(\S+)/.exec(shown.output) ?? [];
    expect((await dlq("show", messageId)).output).toBe(shown.output);

    const left = await receiveAll(engines.deadLetterQueueUrl);
    expect(idsOf(left, alice)).toEqual([first, second]);
    expect(left).toHaveLength(3);
  });

  test("show what is special in every type of command, as the message says it and as it is stored", async () => {
    const [alice, bob] = [newUser("alice"), newUser("bob")];
    const deposit = await move(alice, { type: "deposit", ...usd("100.00") });
    await move(bob, { type: "status_change", newStatus: "active" });
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const hold = holdOf(await move(alice, { type: "hold", ...usd("10.00"), to: bob, expiresAt }));
    const of = (type: string, id: string, more = "") => `${type} {"refersTo":"${id}"${more}}`;
    const shown: readonly [Request, string][] = [
      [{ type: "transfer", ...usd("1.00"), to: bob }, `transfer 1.00 USD {"to":"${bob}"}`],
      [{ type: "hold", ...usd("2.00"), expiresAt }, `hold 2.00 USD {"expiresAt":"${expiresAt}"}`],
      [{ type: "capture", referred: hold, final: true }, of("capture USD", hold.id, `,"final":true,"to":"${bob}"`)],
      [{ type: "release", referred: hold }, of("release USD", hold.id)],
      [
        { type: "exchange", sell: usd("3.00"), buy: { currency: "JPY", amount: "450" } },
        'exchange 3.00 USD {"bought":{"currency":"JPY","exponent":0,"amount":"450"}}',
      ],
      [{ type: "reversal", referred: deposit, amount: "4.00" }, of("reversal 4.00 USD", deposit.id)],
      [{ type: "status_change", newStatus: "frozen" }, 'status_change {"newStatus":"frozen"}'],
    ];
    for (const [request, line] of shown) {
      const { id } = await accept(alice, request);
      await deadLetterAll();
      const { output } = await dlq("show", id);
      expect(output).toContain(`\ncommand        ${line}\n`);
      expect(output).toContain(`\nstored         pending ${line}\n`);
    }

    expect((await dlq("redrive")).output).toContain("Resent: 7\n");
    await decideAll();
    expect(await ports.store.readWallet(alice)).toMatchObject({ status: "frozen", sequence: 9 });
    expect(await ports.store.readWallet(bob)).toMatchObject({ available: new Map([["USD", 1100n]]) });
  });

  test("escape the text of a message, so that it can neither start a line nor control the terminal", async () => {
    const userId = "mallory\x1b[2K\nDead-letter messages: 0";
    const forged = commandWith({ id: "tx\u202e", userId, currency: "US\nD" });
    const body = encodeMessage({ commands: [forged], requestId: "request\t\\" });
    const record = { recordId: "1", groupId: "mallory", body, isRedelivered: false };
    await ports.queue.sendToDeadLetters(record, "malformed");
    await sendRaw(engines.deadLetterQueueUrl, "unknown", "{not\njson\t\\");

    const listed = (await dlq("list")).output;
    expect(listed).toMatch(/^[ -~\n]+$/);
    expect(listed.split("\n")).toHaveLength(4);
    expect(listed).toContain("  mallory\\x1b[2K\\nDead-letter messages: 0  tx\\u{202e}  malformed\n");

    const shown = (await dlq("show", forged.id)).output;
    expect(shown).toMatch(/^[ -~\n]+$/);
    expect(shown).toContain("user           mallory\\x1b[2K\\nDead-letter messages: 0\n");
    expect(shown).toContain("transaction    tx\\u{202e}\ncommand        deposit 1.00 US\\nD\n");
    expect(shown).toContain("by request request\\t\\\\\n");
    const [, unreadable = ""] = /^(\S+) .*unknown/m.exec(listed) ?? [];
    expect((await dlq("show", unreadable)).output).toContain("body           {not\\njson\\t\\\\\n");

    const redriven = (await dlq("redrive")).output;
    expect(redriven).toMatch(/^[ -~\n]+$/);
    expect(redriven).toContain("  mallory\\x1b[2K\\nDead-letter messages: 0  tx\\u{202e}  resent\n");
  });
});

describe("antler dlq redrive", () => {
  test("resends every message in each user's order, also within SQS's deduplication interval of five minutes", async () => {
    const [alice, bob] = [newUser(), newUser()];
    const ofAlice = await acceptDeposits(alice, 23);
    const ofBob = await acceptDeposits(bob, 2);
    await deadLetterAll();

    const { code, output } = await dlq("redrive");
    expect(code).toBe(0);
    expect(output).toContain("Resent: 25\n");
    for (const id of [...ofAlice, ...ofBob]) expect(output).toContain(id);
    expect(await receiveAll(engines.deadLetterQueueUrl)).toEqual([]);
    const waiting = await receiveAll(engines.queueUrl);
    expect(idsOf(waiting, alice)).toEqual(ofAlice);
    expect(idsOf(waiting, bob)).toEqual(ofBob);
  });

  test("--user resends only this user's messages; the others stay visible and in order", async () => {
    const [alice, bob] = [newUser(), newUser()];
    const ofAlice = await acceptDeposits(alice, 12);
    const ofBob = await acceptDeposits(bob, 3);
    await deadLetterAll();

    expect((await dlq("redrive", "--user", bob)).output).toContain("Resent: 3\n");
    expect(idsOf(await receiveAll(engines.queueUrl), bob)).toEqual(ofBob);
    expect(idsOf(await receiveAll(engines.deadLetterQueueUrl), alice)).toEqual(ofAlice);
    expect((await dlq("redrive", "--user", "unknown")).output).toBe("Resent: 0\n");
  });

  test("decides the commands that are pending and changes nothing for those that are decided", async () => {
    const alice = newUser();
    await acceptDeposits(alice, 2);
    const messages = await receiveAll(engines.queueUrl);
    for (const message of messages) await ports.queue.sendToDeadLetters(receivedRecord(message), "invalid_write");
    await consume(messages.slice(0, 1).map(receivedRecord), { ...ports, observer: silentObserver });
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });

    expect((await dlq("redrive")).output).toContain("Resent: 2\n");
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 2, available: new Map([["USD", 300n]]) });
  });

  test("of a forged message posts the accepted command, also when SQS dropped the genuine message", async () => {
    const alice = newUser();
    const accepted = submissionWith({ userId: alice, amount: "1.00" });
    const id = transactionId(alice, "key-1");
    const forged = commandWith({ id, userId: alice, amountMinor: 999_999_999n });
    // The attacker knows the key, and sends first, under the deduplication id of the genuine message.
    await ports.queue.send({ commands: [forged], requestId: "forged" });
    await consumeAll(engines.queueUrl);
    expect((await dlq("list")).output).toMatch(new RegExp(`${id}  unknown_transaction`));
    expect(await submit(accepted, ports)).toMatchObject({ accepted: true });
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toBeUndefined();
    const { output } = await dlq("show", id);
    expect(output).toMatch(/command +deposit 9999999\.99 USD/);
    expect(output).toMatch(/stored +pending deposit 1\.00 USD/);

    expect((await dlq("redrive")).output).toContain("Resent: 1\n");
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
    expect(await receiveAll(engines.deadLetterQueueUrl)).toEqual([]);
  });

  test("of a credit completes the transfer, and a message with another receiver changes nothing", async () => {
    const [alice, bob, mallory] = [newUser("alice"), newUser("bob"), newUser("mallory")];
    await move(alice, { type: "deposit", ...usd("100.00") });
    await move(bob, { type: "status_change", newStatus: "active" });
    const transfer = await accept(alice, { type: "transfer", ...usd("5.00"), to: bob });
    await receiveAll(engines.queueUrl);
    const forged = { commands: [Object.assign(commandOf(transfer), { to: mallory })], requestId: "forged" };
    await sendRaw(engines.queueUrl, alice, encodeMessage(forged));
    await decideAll();
    const { output } = await dlq("show", transfer.id);
    expect(output).toContain("reason         content_mismatch\n");
    expect(output).toContain(`command        transfer 5.00 USD {"to":"${mallory}"}\n`);
    expect(output).toContain(`stored         pending transfer 5.00 USD {"to":"${bob}"}\n`);

    await dlq("redrive");
    await consumeAll(engines.queueUrl);
    await deadLetterAll();
    const { id, userId } = emittedOf(await decided(alice, transfer.id));
    expect((await dlq("show", id)).output).toContain(
      `command        credit 5.00 USD {"source":{"type":"transfer","userId":"${alice}","transactionId":"${transfer.id}"}}\n`,
    );
    expect((await dlq("redrive", "--user", userId)).output).toContain("Resent: 1\n");
    await decideAll();
    expect(await ports.store.readWallet(bob)).toMatchObject({ available: new Map([["USD", 500n]]) });
    expect(await ports.store.readWallet(mallory)).toBeUndefined();
  });

  test("of a message of many commands that failed in every delivery shows each, and decides what is undecided", async () => {
    const alice = newUser();
    const ids = await acceptDeposits(alice, 3);
    const bodies = (await receiveAll(engines.queueUrl)).map(({ Body = "" }) => decodeMessage(Body));
    const malformed = new MalformedCommand({ type: "deposit", amountMinor: -1 });
    const commands = [...bodies.flatMap((body) => body?.commands ?? []), malformed];
    const first = { commands: commands.slice(0, 1), requestId: "request-1" };
    await sendRaw(engines.queueUrl, alice, encodeMessage(first));
    await consumeAll(engines.queueUrl);
    await sendRaw(engines.deadLetterQueueUrl, alice, encodeMessage({ commands, requestId: "request-1" }));

    expect((await dlq("list")).output).toContain(`  ${alice}  ${ids.join(" ")}  failed in every delivery\n`);
    for (const id of ids) {
      const { output } = await dlq("show", id);
      const shown = [...output.matchAll(/^(transaction|command|stored) +(.*)$/gm)].map(([, , text]) => text);
      expect(shown).toEqual(
        ids.flatMap((each, index) => {
          const deposit = `deposit ${index + 1}.00 USD`;
          return [each, deposit, `${index === 0 ? "posted" : "pending"} ${deposit}`];
        }),
      );
    }
    expect((await dlq("redrive", "--user", alice)).output).toContain(`  ${ids.join(" ")}  resent\nResent: 1\n`);
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 3, available: new Map([["USD", 600n]]) });
    const [left] = await receiveAll(engines.deadLetterQueueUrl);
    expect(decodeMessage(left?.Body ?? "")?.commands).toEqual([malformed]);
  });

  test("resends the stored commands of a message in which some are forged", async () => {
    const alice = newUser();
    const [id = ""] = await acceptDeposits(alice, 1);
    await receiveAll(engines.queueUrl);
    const forged = commandWith({ id, userId: alice, amountMinor: 999_999n });
    const commands = [forged, commandWith({ userId: alice, amountMinor: 777n })];
    await sendRaw(engines.deadLetterQueueUrl, alice, encodeMessage({ commands, requestId: "forged" }));

    expect((await dlq("redrive")).output).toContain("Resent: 1\n");
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 1, available: new Map([["USD", 100n]]) });
    expect((await dlq("list")).output).toContain(`${commands[1]?.id}  unknown_transaction`);
  });

  test("that is killed between the resend and the delete is completed by the next one", async () => {
    const alice = newUser();
    await acceptDeposits(alice, 3);
    await deadLetterAll();
    await expect(redriveWith({ remove: () => Promise.reject(new Error("killed")) })).rejects.toThrow("killed");
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 1 });

    expect((await dlq("redrive")).output).toContain("Resent: 3\n");
    await consumeAll(engines.queueUrl);
    expect(await ports.store.readWallet(alice)).toMatchObject({ sequence: 3, available: new Map([["USD", 600n]]) });
    expect(await receiveAll(engines.deadLetterQueueUrl)).toEqual([]);
  });

  test("that can't resend a message stops there, so that no later message overtakes it", async () => {
    const alice = newUser();
    const ids = await acceptDeposits(alice, 3);
    await deadLetterAll();
    let sends = 0;
    const resend: typeof queue.resend = (message, body) =>
      ++sends === 2 ? Promise.reject(new Error("no connection")) : queue.resend(message, body);
    await expect(redriveWith({ resend })).rejects.toThrow("no connection");
    expect(idsOf(await receiveAll(engines.queueUrl), alice)).toEqual(ids.slice(0, 1));
    expect(idsOf(await receiveAll(engines.deadLetterQueueUrl), alice)).toEqual(ids.slice(1));
  });

  test("leaves a message whose stored transaction is unreadable, names it, and resends the others", async () => {
    const [alice, bob] = [newUser("alice"), newUser("bob")];
    const [unreadable = ""] = await acceptDeposits(alice, 1);
    const [id = ""] = await acceptDeposits(bob, 1);
    await deadLetterAll();
    const Item = { userId: alice, id: unreadable, status: "pending" };
    await dynamoDocuments.send(new PutCommand({ TableName: "antler-test-transactions", Item }));
    const { code, output } = await dlq("redrive");
    expect(code).toBe(1);
    expect(output).toContain(`Not resent: user ${alice} has an unreadable item, transaction ${unreadable}`);
    expect(output).toContain("Resent: 1\n");
    expect(idsOf(await receiveAll(engines.queueUrl), bob)).toEqual([id]);
    expect(idsOf(await receiveAll(engines.deadLetterQueueUrl), alice)).toEqual([unreadable]);
  });

  test("of a message that is dead-lettered again at once ends, and leaves it in the dead-letter queue", async () => {
    await sendRaw(engines.deadLetterQueueUrl, "unknown", "{not json");
    const remove: typeof queue.remove = async (message) => {
      await queue.remove(message);
      await consumeAll(engines.queueUrl);
    };
    expect(await redriveWith({ remove })).toEqual({ returned: 1, unreadable: [] });
    expect(idsOf(await receiveAll(engines.deadLetterQueueUrl), "unknown")).toEqual(["{not json"]);
  });
});

describe("antler dlq", () => {
  test("reports in one line that the stage is unknown, or that no local stack runs", async () => {
    const elsewhere = await run(ANTLER, ["dlq", "list", "--stage", "elsewhere"], {});
    expect(elsewhere).toEqual({ code: 1, output: expect.stringMatching(/^There is no queue antler-elsewhere-.*\n$/) });
    const stopped = await run(ANTLER, ["dlq", "list"], { AWS_PORT: "1", AWS_ENDPOINT_URL: "" });
    expect(stopped).toEqual({ code: 1, output: expect.stringMatching(/^The local stack does not run.*\n$/) });
  });
});
