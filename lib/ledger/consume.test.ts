import { beforeEach, describe, expect, it } from "vitest";
import { type InMemoryPorts, inMemoryPorts, recordOf } from "../../testkit/inMemoryPorts.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import type { Wallet } from "../domain/wallet.ts";
import { consume } from "./consume.ts";
import { type QueueRecord, TransientError, UnsupportedMessage } from "./ports.ts";
import { submit } from "./submit.ts";

let ports: InMemoryPorts;
let commands: number;
beforeEach(() => {
  ports = inMemoryPorts();
  commands = 0;
});

/** Accepts a command, `+12` a deposit and `-12` a withdrawal of yen, and returns its record of the queue. */
async function given(userId: string, move: `${"+" | "-"}${number}`, currency = "JPY"): Promise<QueueRecord> {
  const recordId = `record-${++commands}`;
  const submitted = await submit(
    {
      userId,
      idempotencyKey: recordId,
      type: move.startsWith("+") ? "deposit" : "withdrawal",
      currency,
      amount: move.slice(1),
      reference: undefined,
      metadata: undefined,
      requestId: "request-1",
    },
    ports,
  );
  const message = ports.sent.pop();
  if (!submitted.accepted || !message) throw new Error("The command was not accepted");
  return recordOf(message, recordId);
}

/** A record with the message of another one, something in it changed. */
function forged(record: QueueRecord, change: Readonly<Record<string, string>>): QueueRecord {
  const body: Record<string, unknown> = { ...JSON.parse(record.body), ...change };
  return { ...record, recordId: `${record.recordId}-forged`, body: JSON.stringify(body) };
}

const malformed = (userId: string): QueueRecord => ({ recordId: "record-malformed", groupId: userId, body: "{" });

const yen = (userId: string) => ports.wallets.get(userId)?.balances.get("JPY");
const statuses = () => [...ports.transactions.values()].map(({ decision }) => decision?.outcome.status ?? "pending");
const deadLetters = () => ports.deadLetters.map(({ record, reason }) => [record.recordId, reason]);
const callsOf = (operation: string) => ports.calls.filter((call) => call.startsWith(operation)).length;

describe("one batch", () => {
  it("of one user takes one read and one write", async () => {
    const records = [
      await given("alice", "+100"),
      await given("alice", "-30"),
      await given("alice", "-80"),
      await given("alice", "+5"),
      await given("alice", "-75"),
    ];
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);

    expect(ports.calls).toEqual(["readWallets alice", "commit alice"]);
    expect(statuses()).toEqual(["posted", "posted", "rejected", "posted", "posted"]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 5, balances: new Map([["JPY", 0n]]) });
    expect([...ports.transactions.values()].map(({ decision }) => decision)).toMatchObject([
      { sequence: 1, balanceAfterMinor: 100n },
      { sequence: 2, balanceAfterMinor: 70n },
      { sequence: 3, balanceAfterMinor: 70n, outcome: { code: "insufficient_funds" } },
      { sequence: 4, balanceAfterMinor: 75n },
      { sequence: 5, balanceAfterMinor: 0n },
    ]);
  });

  it("acknowledges a rejection, because it is an outcome", async () => {
    const record = await given("alice", "-1");

    expect(await consume([record], ports)).toEqual([]);
    expect(statuses()).toEqual(["rejected"]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 1, balances: new Map() });
    expect(ports.deadLetters).toEqual([]);
  });

  it("rejects a deposit that would exceed the balance limit", async () => {
    ports.wallets.set("alice", { sequence: 9, balances: new Map([["JPY", MINOR_UNITS_MAX]]) });

    expect(await consume([await given("alice", "+1")], ports)).toEqual([]);
    expect([...ports.transactions.values()][0]?.decision).toMatchObject({
      sequence: 10,
      outcome: { status: "rejected", code: "balance_limit" },
    });
  });

  it("starts from the wallet after the previous batch", async () => {
    await consume([await given("alice", "+10")], ports);
    await consume([await given("alice", "-4"), await given("alice", "+1")], ports);

    expect(ports.wallets.get("alice")).toEqual({ sequence: 3, balances: new Map([["JPY", 7n]]) });
  });

  it("of several users takes one read and one write, and decides each user independently", async () => {
    const records = [
      await given("alice", "+10"),
      await given("bob", "-10"),
      await given("alice", "-10"),
      await given("bob", "+10"),
    ];
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    expect(ports.calls).toEqual(["readWallets alice bob", "commit alice bob"]);
    expect(yen("alice")).toBe(0n);
    expect(yen("bob")).toBe(10n);
    expect(ports.wallets.get("bob")?.sequence).toBe(2);
  });

  it("reports every committed decision to the observer, user by user", async () => {
    await consume([await given("alice", "+10"), await given("bob", "+5"), await given("alice", "-99")], ports);

    const reported = ports.observed.committed.map((write) =>
      write.map(({ message, decision }) => [message.command.userId, decision.sequence, decision.outcome.status]),
    );
    expect(reported).toEqual([
      [
        ["alice", 1, "posted"],
        ["alice", 2, "rejected"],
      ],
      [["bob", 1, "posted"]],
    ]);
  });

  it("without records does nothing", async () => {
    expect(await consume([], ports)).toEqual([]);
    expect(ports.calls).toEqual([]);
  });
});

describe("a failure of one user's writes", () => {
  it("fails all records of that user and no others", async () => {
    const records = [
      await given("alice", "+10"),
      await given("bob", "+20"),
      await given("alice", "+1"),
      await given("carol", "+30"),
    ];
    ports.fail("commit", "before", { userId: "alice", times: 100 });

    expect(await consume(records, ports)).toEqual(["record-1", "record-3"]);
    expect([yen("alice"), yen("bob"), yen("carol")]).toEqual([undefined, 20n, 30n]);
    expect(ports.observed.failed).toEqual([{ recordIds: ["record-1", "record-3"], error: expect.any(TransientError) }]);
    expect(ports.deadLetters).toEqual([]);
  });

  it("that is a bug in the code or the data fails without a retry, and only for that user", async () => {
    const records = [await given("alice", "+10"), await given("bob", "+20")];
    ports.fail("readWallets", "before", { userId: "alice", times: 9, error: new TypeError("the item makes no sense") });
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual(["record-1"]);
    expect(yen("bob")).toBe(20n);
    expect(ports.calls.filter((call) => call.endsWith("alice"))).toEqual(["readWallets alice"]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(TypeError);
  });

  it("is resolved by the next delivery", async () => {
    const records = [await given("alice", "+10"), await given("alice", "-3")];
    ports.fail("commit", "before", { times: 6 });

    expect(await consume(records, ports)).toEqual(["record-1", "record-2"]);
    expect(await consume(records, ports)).toEqual([]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 7n]]) });
  });
});

describe("the write that several users share", () => {
  it.each([
    ["failed", () => ports.fail("commit", "before")],
    ["succeeded without a response", () => ports.fail("commit", "after")],
    [
      "could not be prepared because of a bug",
      () => ports.fail("readWallets", "before", { error: new TypeError("no sense") }),
    ],
    [
      "conflicted with another writer",
      () =>
        ports.intervene({
          operation: "commit",
          at: "before",
          act: () => ports.wallets.set("alice", { sequence: 4, balances: new Map([["JPY", 90n]]) }),
        }),
    ],
  ])("is replaced by one write per user if it %s, without a pause", async (_, happens) => {
    const records = [await given("alice", "+10"), await given("bob", "+20")];
    happens();
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    expect(statuses()).toEqual(["posted", "posted"]);
    expect(yen("bob")).toBe(20n);
    expect(ports.wallets.get("bob")?.sequence).toBe(1);
    expect(ports.calls.filter((call) => call.startsWith("readWallets"))).toEqual([
      "readWallets alice bob",
      "readWallets alice",
      "readWallets bob",
    ]);
    expect(ports.clock.sleeps).toEqual([]);
  });

  it("is replaced by one write per user if one record was not accepted", async () => {
    const wrong = forged(await given("alice", "+10"), { id: "tx_nobody_accepted" });
    const records = [wrong, await given("bob", "+20"), await given("carol", "+30")];

    expect(await consume(records, ports)).toEqual([]);
    expect([yen("alice"), yen("bob"), yen("carol")]).toEqual([undefined, 20n, 30n]);
    expect(deadLetters()).toEqual([[wrong.recordId, "unknown_transaction"]]);
  });

  it.each([
    ["a transient error", "unavailable", () => ports.fail("commit", "before")],
    ["a bug in the code or the data", "error", () => ports.fail("commit", "before", { error: new TypeError("bug") })],
    ["a decided transaction", "precondition_failed", (record: QueueRecord) => consume([record], ports)],
    [
      "a write that the store rejects",
      "invalid_write",
      (record: QueueRecord) => void ports.invalidWriteIds.add(JSON.parse(record.body).id),
    ],
  ])("that failed because of %s is reported as a retry of each user, cause %s", async (_, cause, happens) => {
    const first = await given("alice", "+10");
    const records = [first, await given("bob", "+20")];
    await happens(first);

    await consume(records, ports);
    expect(ports.observed.retried).toEqual(["alice", "bob"]);
    expect(ports.observed.retryCauses).toEqual([cause, cause]);
  });
});

describe("a transient error of the store", () => {
  it.each(["readWallets", "commit"] as const)("in %s is retried, and the commands are decided", async (operation) => {
    const record = await given("alice", "+10");
    ports.fail(operation, "before", { times: 3 });

    expect(await consume([record], ports)).toEqual([]);
    expect(yen("alice")).toBe(10n);
    expect(ports.observed.retried).toEqual(["alice", "alice", "alice"]);
    expect(ports.clock.sleeps).toHaveLength(3);
  });

  it("after the write decides nothing twice", async () => {
    const records = [await given("alice", "+10"), await given("alice", "-3")];
    ports.fail("commit", "after");

    expect(await consume(records, ports)).toEqual([]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 7n]]) });
    expect(ports.deadLetters).toEqual([]);
  });
});

describe("a conflict with another writer", () => {
  const theirs: Wallet = { sequence: 4, balances: new Map([["JPY", 2n]]) };

  it("is decided again on the wallet of the other writer", async () => {
    ports.wallets.set("alice", { sequence: 3, balances: new Map([["JPY", 10n]]) });
    const record = await given("alice", "-10");
    ports.intervene({ operation: "commit", at: "before", act: () => ports.wallets.set("alice", theirs) });

    expect(await consume([record], ports)).toEqual([]);
    expect(statuses()).toEqual(["rejected"]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 5, balances: new Map([["JPY", 2n]]) });
    expect(ports.observed.retried).toEqual(["alice"]);
  });

  it("on the first write of a wallet is decided again too", async () => {
    const record = await given("alice", "+1");
    ports.intervene({ operation: "commit", at: "before", act: () => ports.wallets.set("alice", theirs) });

    expect(await consume([record], ports)).toEqual([]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 5, balances: new Map([["JPY", 3n]]) });
  });

  it("that persists releases the records after a bounded number of attempts, with growing pauses", async () => {
    const record = await given("alice", "+1");
    let sequence = 0;
    ports.intervene({
      operation: "commit",
      at: "before",
      times: 1000,
      act: () => ports.wallets.set("alice", { ...theirs, sequence: ++sequence }),
    });

    expect(await consume([record], ports)).toEqual(["record-1"]);
    expect(callsOf("commit")).toBe(6);
    expect(statuses()).toEqual(["pending"]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(TransientError);
    expect(ports.clock.sleeps).toEqual([...ports.clock.sleeps].sort((a, b) => a - b));
    expect(Math.max(...ports.clock.sleeps)).toBeLessThanOrEqual(400);
  });

  it("with a slow store starts no round more than 3.5 s after the delivery", async () => {
    const record = await given("alice", "+1");
    ports.setLatency(1000);
    ports.fail("commit", "before", { times: 1000 });
    const startMs = ports.clock.now().getTime();
    const readsAtMs: number[] = [];
    ports.intervene({
      operation: "readWallets",
      at: "before",
      times: 1000,
      act: () => readsAtMs.push(ports.clock.now().getTime() - startMs - 1000),
    });

    expect(await consume([record], ports)).toEqual(["record-1"]);
    expect(readsAtMs.length).toBe(2);
    expect(Math.max(...readsAtMs)).toBeLessThan(3500);
  });
});

describe("a record that was already decided", () => {
  it("is acknowledged, and the user's new records are decided", async () => {
    const old = await given("alice", "+10");
    await consume([old], ports);
    const fresh = await given("alice", "-4");

    expect(await consume([old, fresh], ports)).toEqual([]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 6n]]) });
    expect(ports.deadLetters).toEqual([]);
  });

  it("is acknowledged when its whole batch is delivered again", async () => {
    const records = [await given("alice", "+10"), await given("alice", "-4"), await given("bob", "+1")];
    await consume(records, ports);
    const wallets = new Map(ports.wallets);

    for (let delivery = 1; delivery <= 3; delivery++) expect(await consume(records, ports)).toEqual([]);
    expect(ports.wallets).toEqual(wallets);
    expect(ports.observed.committed).toHaveLength(2);
  });

  it("stays rejected if the balance would suffice now", async () => {
    const refused = await given("alice", "-10");
    await consume([refused], ports);

    expect(await consume([await given("alice", "+10"), refused], ports)).toEqual([]);
    expect(yen("alice")).toBe(10n);
    expect(statuses()).toEqual(["rejected", "posted"]);
  });

  it("twice in one batch is decided once, in its first position, and both are acknowledged", async () => {
    const deposit = await given("alice", "+10");
    const withdrawal = await given("alice", "-10");
    const duplicate = { ...deposit, recordId: "record-duplicate" };

    expect(await consume([deposit, withdrawal, duplicate], ports)).toEqual([]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 0n]]) });
    expect(callsOf("commit")).toBe(1);
  });

  it("twice in one batch that fails is reported under both records", async () => {
    const deposit = await given("alice", "+10");
    const duplicate = { ...deposit, recordId: "record-duplicate" };
    ports.fail("commit", "before", { times: 100 });

    expect(await consume([deposit, duplicate], ports)).toEqual(["record-1", "record-duplicate"]);
  });
});

describe("a record that can't be decided", () => {
  it("because it is malformed is dead-lettered; the user's valid command is decided", async () => {
    const good = await given("alice", "+10");

    expect(await consume([malformed("alice"), good], ports)).toEqual([]);
    expect(deadLetters()).toEqual([["record-malformed", "malformed"]]);
    expect(ports.observed.deadLettered).toEqual(["record-malformed malformed"]);
    expect(yen("alice")).toBe(10n);
  });

  it("because its transaction was not accepted is dead-lettered; the others are decided in order", async () => {
    const first = await given("alice", "+10");
    const last = await given("alice", "-10");
    const poison = forged(first, { id: "tx_unknown" });

    expect(await consume([first, poison, last], ports)).toEqual([]);
    expect(deadLetters()).toEqual([[poison.recordId, "unknown_transaction"]]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 0n]]) });
  });

  describe.each([{ fingerprint: "another" }, { amountMinor: "777777" }, { type: "withdrawal" }, { currency: "NONE" }])(
    "and has %j in place of what was accepted",
    (change) => {
      it("is dead-lettered and moves nothing, before the decision and after it", async () => {
        const accepted = await given("alice", "+10");
        const poison = forged(accepted, change);

        expect(await consume([poison], ports)).toEqual([]);
        expect(ports.wallets.size).toBe(0);
        expect(statuses()).toEqual(["pending"]);

        expect(await consume([accepted], ports)).toEqual([]);
        expect(await consume([poison], ports)).toEqual([]);
        expect(deadLetters()).toEqual([
          [poison.recordId, "content_mismatch"],
          [poison.recordId, "content_mismatch"],
        ]);
        expect(ports.wallets.get("alice")).toEqual({ sequence: 1, balances: new Map([["JPY", 10n]]) });
      });

      it.each(["before", "after"])("%s the true record in one batch is dead-lettered alone", async (place) => {
        const accepted = await given("alice", "+10");
        const poison = forged(accepted, change);

        expect(await consume(place === "before" ? [poison, accepted] : [accepted, poison], ports)).toEqual([]);
        expect(yen("alice")).toBe(10n);
        expect(deadLetters()).toEqual([[poison.recordId, "content_mismatch"]]);
      });
    },
  );

  it("because it is in another user's group is dead-lettered, though its content was accepted", async () => {
    const accepted = await given("alice", "+10");

    expect(await consume([{ ...accepted, groupId: "mallory" }], ports)).toEqual([]);
    expect(deadLetters()).toEqual([[accepted.recordId, "group_mismatch"]]);
    expect(ports.wallets.size).toBe(0);
    expect(statuses()).toEqual(["pending"]);
  });

  it("because the transaction is another user's is dead-lettered and moves no money", async () => {
    const accepted = await given("alice", "+10");
    const poison = { ...forged(accepted, { userId: "mallory" }), groupId: "mallory" };

    expect(await consume([poison], ports)).toEqual([]);
    expect(deadLetters()).toEqual([[poison.recordId, "unknown_transaction"]]);
    expect(ports.wallets.size).toBe(0);
  });

  it("because of an invalid write is dead-lettered alone; the others are decided in order", async () => {
    const records = [
      await given("alice", "+10"),
      await given("alice", "+7"),
      await given("alice", "-10"),
      await given("bob", "+1"),
    ];
    const refused = [...ports.transactions.values()][1];
    ports.invalidWriteIds.add(refused?.id ?? "");

    expect(await consume(records, ports)).toEqual([]);
    expect(deadLetters()).toEqual([["record-2", "invalid_write"]]);
    expect(statuses()).toEqual(["posted", "pending", "posted", "posted"]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 0n]]) });
    expect(yen("bob")).toBe(1n);
  });

  it("is dead-lettered under each of its records", async () => {
    const poison = forged(await given("alice", "+10"), { id: "tx_unknown" });
    const duplicate = { ...poison, recordId: "record-duplicate" };

    expect(await consume([poison, duplicate], ports)).toEqual([]);
    expect(deadLetters()).toEqual([
      [poison.recordId, "unknown_transaction"],
      ["record-duplicate", "unknown_transaction"],
    ]);
  });

  it("is processed independently of decided, unknown and valid records in its batch", async () => {
    const decided = await given("alice", "+10");
    await consume([decided], ports);
    const unknown = forged(decided, { id: "tx_unknown" });
    const good = await given("alice", "-1");

    expect(await consume([unknown, decided, malformed("alice"), good], ports)).toEqual([]);
    expect(deadLetters().sort()).toEqual([
      [unknown.recordId, "unknown_transaction"],
      ["record-malformed", "malformed"],
    ]);
    expect(ports.wallets.get("alice")).toEqual({ sequence: 2, balances: new Map([["JPY", 9n]]) });
  });
});

describe("a message of another version or type", () => {
  const unsupported = (userId: string): QueueRecord => ({
    recordId: "record-unsupported",
    groupId: userId,
    body: JSON.stringify({ version: 2, type: "transfer", userId }),
  });

  it("is delivered again and not dead-lettered, and no later record of its user is decided before it", async () => {
    const before = await given("alice", "+10");
    const after = await given("alice", "-4");
    const bobs = await given("bob", "+1");

    const records = [before, unsupported("alice"), malformed("alice"), after, bobs];
    expect(await consume(records, ports)).toEqual(["record-unsupported", "record-malformed", after.recordId]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(UnsupportedMessage);
    expect(ports.deadLetters).toEqual([]);
    expect(yen("alice")).toBe(10n);
    expect(yen("bob")).toBe(1n);
  });
});

describe("a failed send to the dead-letter queue", () => {
  it("leaves a malformed record in the queue, and only that one", async () => {
    const good = await given("alice", "+10");
    ports.fail("sendToDeadLetters", "before");

    expect(await consume([malformed("alice"), good], ports)).toEqual(["record-malformed"]);
    expect(ports.deadLetters).toEqual([]);
    expect(ports.observed.deadLettered).toEqual([]);
    expect(yen("alice")).toBe(10n);
  });

  it("leaves all records of its user in the queue, in order, and no others", async () => {
    const good = await given("alice", "+10");
    const bobs = await given("bob", "+20");
    const poison = forged(good, { id: "tx_unknown" });
    ports.fail("sendToDeadLetters", "before");

    expect(await consume([poison, good, bobs], ports)).toEqual([poison.recordId, good.recordId]);
    expect(yen("bob")).toBe(20n);

    expect(await consume([poison, good], ports)).toEqual([]);
    expect(deadLetters()).toEqual([[poison.recordId, "unknown_transaction"]]);
    expect(yen("alice")).toBe(10n);
  });

  it("after its effect is repeated, because a duplicate loses nothing", async () => {
    ports.fail("sendToDeadLetters", "after");

    expect(await consume([malformed("alice")], ports)).toEqual(["record-malformed"]);
    expect(await consume([malformed("alice")], ports)).toEqual([]);
    expect(ports.deadLetters).toHaveLength(2);
  });
});
