import { beforeEach, describe, expect, it } from "vitest";
import { consumeSent, type InMemoryPorts, inMemoryPorts, submissionWith } from "../../testkit/inMemoryPorts.ts";
import { contentHashOf, detailsHashOf, NO_DETAILS_HASH } from "../domain/hash.ts";
import type { Transaction } from "../domain/transaction.ts";
import { transactionId } from "./idempotency.ts";
import { encodeMessage, type Message } from "./message.ts";
import { TransientError } from "./ports.ts";
import { awaitOutcome, type Submission, submit } from "./submit.ts";

type Change = Parameters<typeof submissionWith>[0];

/** A submission of a deposit with reference and metadata, with something changed. */
const depositWith = (change: Change = {}) =>
  submissionWith({ reference: "invoice 1", metadata: { orderId: "A-1" }, ...change });
const deposit = depositWith();

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

async function accepted(submission: Submission): Promise<Transaction> {
  const submitted = await submit(submission, ports);
  if (!submitted.accepted) throw new Error(submitted.problem);
  return submitted.transaction;
}

const refused = (problem: string, ...at: string[]) => ({ accepted: false, problem, at });
/** Alice's wallet after the deposit. */
const DEPOSITED = { sequence: 1, available: new Map([["USD", 1234n]]) };
const stored = () => [...ports.transactions.values()];

describe("a new submission", () => {
  it("is stored first, then sent, and then accepted as pending", async () => {
    const submitted = await submit(deposit, ports);

    expect(ports.calls).toEqual(["listCurrencies", "putPending alice", "send alice"]);
    const [transaction] = stored();
    if (!transaction) throw new Error("Nothing is stored");
    expect(submitted).toEqual({ accepted: true, replayed: false, transaction });
    const details = { salt: transaction.salt, reference: "invoice 1", metadata: { orderId: "A-1" } };
    const command = {
      id: transactionId("alice", "key-1"),
      userId: "alice",
      type: "deposit",
      actor: "owner",
      createdAt: "2026-11-23T09:30:00.000Z",
      currency: "USD",
      exponent: 2,
      amountMinor: 1234n,
      detailsHash: detailsHashOf(details),
    } as const;
    const contentHash = contentHashOf(command);
    expect(transaction).toEqual({ ...command, ...details, contentHash, decision: undefined, remainder: undefined });
    // Reference, metadata and salt stay in the store.
    const bodyOf = (message: Message): unknown => JSON.parse(encodeMessage(message));
    expect(ports.sent.map(bodyOf)).toEqual([bodyOf({ command, contentHash, requestId: "request-1" })]);
  });

  it("has a random salt of 128 bits, which hides equal details from one who compares hashes", async () => {
    const [one, two] = [await accepted(deposit), await accepted({ ...deposit, idempotencyKey: "key-2" })];
    expect(Buffer.from(one.salt ?? "", "base64url")).toHaveLength(16);
    expect(one.salt).not.toBe(two.salt);
    expect(one.detailsHash).not.toBe(two.detailsHash);
  });

  it.each([
    ["neither reference nor metadata has no salt and the constant details hash", {}, true],
    ["a reference has a salt and a details hash of its own", { reference: "invoice 1" }, false],
    ["metadata has a salt and a details hash of its own", { metadata: { orderId: "A-1" } }, false],
  ])("with %s", async (_what, details, isWithout) => {
    const { salt, detailsHash } = await accepted(submissionWith(details));
    expect([salt === undefined, detailsHash === NO_DETAILS_HASH]).toEqual([isWithout, isWithout]);
  });

  it.each(["owner", "admin"] as const)("stores and sends the %s who asks for it", async (actor) => {
    expect(await accepted({ ...deposit, actor })).toMatchObject({ actor });
    expect(ports.sent).toMatchObject([{ command: { actor } }]);
  });

  it("is another transaction under an equal key of another user", async () => {
    const alices = await accepted(deposit);
    const bobs = await accepted({ ...deposit, userId: "bob" });

    expect(alices.id).not.toBe(bobs.id);
    expect(ports.transactions.size).toBe(2);
  });
});

describe("a repeated submission", () => {
  it("is answered with the pending transaction as it was stored, and is sent again", async () => {
    const first = await accepted(deposit);
    ports.clock.advance(60_000);

    expect(await submit({ ...deposit, requestId: "request-2" }, ports)).toEqual({
      accepted: true,
      replayed: true,
      transaction: first,
    });
    expect(ports.transactions.size).toBe(1);
    const { contentHash } = first;
    expect(ports.sent).toMatchObject([
      { contentHash, requestId: "request-1" },
      { contentHash, requestId: "request-2" },
    ]);
  });

  it("moves money once, however often it was sent", async () => {
    for (let times = 1; times <= 5; times++) await submit(deposit, ports);
    await consumeSent(ports);
    await submit(deposit, ports);
    await consumeSent(ports);

    expect(ports.wallets.get("alice")).toMatchObject(DEPOSITED);
  });

  it("is stored once if both arrive at the same time", async () => {
    const both = await Promise.all([submit(deposit, ports), submit(deposit, ports)]);

    expect(both.map((submitted) => submitted.accepted && submitted.replayed)).toEqual([false, true]);
    expect(ports.transactions.size).toBe(1);
  });

  it("is answered with the decision once there is one, and is not sent again", async () => {
    await submit(deposit, ports);
    await consumeSent(ports);

    expect(await submit(deposit, ports)).toMatchObject({
      accepted: true,
      replayed: true,
      transaction: { decision: { ...DEPOSITED, outcome: { status: "posted" } } },
    });
    expect(ports.sent).toEqual([]);
  });

  it("is still answered with its rejection if the balance would suffice now", async () => {
    const withdrawal = depositWith({ type: "withdrawal", idempotencyKey: "key-2" });
    await submit(withdrawal, ports);
    await consumeSent(ports);
    await submit(deposit, ports);
    await consumeSent(ports);

    expect(await submit(withdrawal, ports)).toMatchObject({
      replayed: true,
      transaction: { decision: { outcome: { status: "rejected", code: "insufficient_funds" } } },
    });
    expect(ports.sent).toEqual([]);
  });

  it("by an admin is answered with the owner's command as it was accepted", async () => {
    const first = await accepted(deposit);
    expect(await submit({ ...deposit, actor: "admin" }, ports)).toMatchObject({ replayed: true, transaction: first });
    expect(ports.sent).toMatchObject([{ command: { actor: "owner" } }, { command: { actor: "owner" } }]);
  });

  it("treats the same amount in another notation as the same content", async () => {
    await submit(depositWith({ amount: "5.00" }), ports);
    expect(await submit(depositWith({ amount: "5" }), ports)).toMatchObject({ accepted: true, replayed: true });
  });

  it.each([
    ["type", { type: "withdrawal" }],
    ["currency", { currency: "EUR" }],
    ["amount", { amount: "12.35" }],
    ["reference", { reference: "invoice 2" }],
    ["missing reference", { reference: undefined }],
    ["metadata", { metadata: { orderId: "A-2" } }],
    ["missing metadata", { metadata: undefined }],
  ] as const)("is not accepted with another %s, and the first one stays as it is", async (_field, change) => {
    const first = await accepted(deposit);
    ports.calls.length = 0;

    expect(await submit(depositWith(change), ports)).toEqual(refused("idempotency_key_reused"));
    expect(stored()).toEqual([first]);
    expect(ports.calls).not.toContain("send alice");
  });
});

describe("a failure", () => {
  it.each([
    ["the queue before its effect", "send", "before", { stored: 1, sent: 0 }],
    ["the queue after its effect", "send", "after", { stored: 1, sent: 1 }],
    ["the store before its effect", "putPending", "before", { stored: 0, sent: 0 }],
    ["the store after its effect", "putPending", "after", { stored: 1, sent: 0 }],
  ] as const)(
    "of %s is thrown as TransientError, and the repeated submission completes the command once",
    async (_of, operation, at, left) => {
      ports.fail(operation, at);

      await expect(submit(deposit, ports)).rejects.toBeInstanceOf(TransientError);
      expect({ stored: stored().length, sent: ports.sent.length }).toEqual(left);
      for (const { decision } of stored()) expect(decision).toBeUndefined();

      expect(await submit(deposit, ports)).toMatchObject({ accepted: true, replayed: left.stored === 1 });
      expect(ports.sent).toHaveLength(left.sent + 1);
      await consumeSent(ports);
      expect(ports.wallets.get("alice")).toMatchObject(DEPOSITED);
      expect(ports.transactions.size).toBe(1);
    },
  );
});

describe("a disabled currency", () => {
  it("takes no new command", async () => {
    expect(await submit(depositWith({ currency: "XOF", amount: "5" }), ports)).toEqual(
      refused("unknown_currency", "currency"),
    );
    expect(stored()).toEqual([]);
    expect(ports.sent).toEqual([]);
  });

  it("still answers for a command that was accepted before, and sends it again while it is pending", async () => {
    const first = await accepted(deposit);
    ports.setEnabled("USD", false);

    expect(await submit(deposit, ports)).toEqual({ accepted: true, replayed: true, transaction: first });
    expect(ports.sent).toHaveLength(2);
    await consumeSent(ports);
    expect(await submit(deposit, ports)).toMatchObject({ replayed: true, transaction: { decision: { sequence: 1 } } });
  });

  it("reports a key that is used with other content", async () => {
    await submit(deposit, ports);
    ports.setEnabled("USD", false);

    expect(await submit(depositWith({ amount: "1" }), ports)).toEqual(refused("idempotency_key_reused"));
  });
});

describe("a submission that is not accepted", () => {
  it.each([
    ["unknown_currency", ["currency"], { currency: "DOGE" }],
    ["unknown_currency", ["currency"], { currency: "usd" }],
    ["unknown_currency", ["currency"], { currency: "constructor" }],
    ["amount_invalid", ["amount"], { amount: "1e3" }],
    ["amount_invalid", ["amount"], { amount: "-1" }],
    ["amount_scale", ["amount"], { amount: "1.234" }],
    ["amount_scale", ["amount"], { currency: "JPY", amount: "1.5" }],
    ["amount_zero", ["amount"], { amount: "0.00" }],
    ["amount_limit", ["amount"], { amount: "9".repeat(37) }],
  ] as const)("because of %s at %j in %j is neither stored nor sent", async (problem, at, change) => {
    expect(await submit(depositWith(change), ports)).toEqual(refused(problem, ...at));
    expect(stored()).toEqual([]);
    expect(ports.sent).toEqual([]);
    expect(ports.calls).toEqual(["listCurrencies"]);
  });

  it.each([
    ["unknown_currency", ["currency"], { currency: "DOGE", amount: "x" }],
    ["unknown_currency", ["currency"], { currency: "XOF", amount: "x" }],
    ["amount_invalid", ["amount"], { amount: "x" }],
    ["idempotency_key_reused", [], { amount: "1" }],
  ])("names the currency first, then the amount, then the key: %s at %j of %j", async (problem, at, change) => {
    await submit(deposit, ports);
    expect(await submit(depositWith(change), ports)).toEqual(refused(problem, ...at));
  });
});

describe("awaitOutcome", () => {
  const outcomeOf = (transaction: Transaction) => ({
    transaction,
    transferStatus: undefined,
    isFinal: transaction.decision !== undefined,
  });
  const elapsedMs = () => ports.clock.sleeps.reduce((sum, sleep) => sum + sleep, 0);

  it("returns a decided transaction at once, without a read", async () => {
    await submit(deposit, ports);
    await consumeSent(ports);
    const decided = await accepted(deposit);
    ports.calls.length = 0;

    expect(await awaitOutcome(decided, 5000, ports)).toEqual(outcomeOf(decided));
    expect(ports.calls).toEqual([]);
    expect(elapsedMs()).toBe(0);
  });

  it("returns soon after the decision, and long before the deadline", async () => {
    const pending = await accepted(deposit);
    ports.clock.in(100, () => void consumeSent(ports));

    expect(await awaitOutcome(pending, 20_000, ports)).toMatchObject({
      isFinal: true,
      transaction: { decision: { sequence: 1, outcome: { status: "posted" } } },
    });
    expect(elapsedMs()).toBeGreaterThanOrEqual(100);
    expect(elapsedMs()).toBeLessThan(400);
  });

  it.each([
    ["although reads of the transaction failed before", 2, 100],
    ["that falls into the last pause", 0, 4900],
  ])("returns a decision %s", async (_which, times, decidedAfterMs) => {
    const pending = await accepted(deposit);
    ports.fail("findTransaction", "before", { times });
    ports.clock.in(decidedAfterMs, () => void consumeSent(ports));

    expect((await awaitOutcome(pending, 5000, ports)).transaction.decision?.sequence).toBe(1);
  });

  it("returns the pending transaction exactly at the deadline", async () => {
    const pending = await accepted(deposit);

    expect(await awaitOutcome(pending, 5000, ports)).toEqual(outcomeOf(pending));
    expect(elapsedMs()).toBeGreaterThanOrEqual(5000);
    expect(elapsedMs()).toBeLessThan(5001);
    expect(ports.clock.sleeps.length).toBeLessThan(40);
  });

  it("does not wait if the wait is zero", async () => {
    const pending = await accepted(deposit);
    expect(await awaitOutcome(pending, 0, ports)).toEqual(outcomeOf(pending));
    expect(elapsedMs()).toBe(0);
  });
});
