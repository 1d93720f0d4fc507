import { beforeEach, describe, expect, it, vi } from "vitest";
import { captureOf, credit, deposit, hold, reversalOf, statusChange } from "../../testkit/commands.ts";
import { timeAt } from "../../testkit/histories.ts";
import {
  consumeSent,
  type InMemoryPorts,
  inMemoryPorts,
  recordOf,
  submissionWith,
} from "../../testkit/inMemoryPorts.ts";
import { commandWith, transactionOf } from "../../testkit/storeContract.ts";
import type { Command } from "../domain/command.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import { consume } from "./consume.ts";
import { commandsIn, decodeMessage, encodeMessage, MalformedCommand, userIdOf } from "./message.ts";
import { type DeadLetterReason, type QueueRecord, TransientError, UnsupportedMessage } from "./ports.ts";
import { submit } from "./submit.ts";
import { sweep } from "./sweep.ts";

let ports: InMemoryPorts;
let commands: number;
beforeEach(() => {
  ports = inMemoryPorts();
  commands = 0;
});

type Move = `${string} ${"+" | "-"}${number}`;

/** Accepts commands, `alice +12` a deposit and `alice -12` a withdrawal of yen, and returns their records of the queue. */
async function given<const Moves extends Move[]>(...moves: Moves): Promise<{ [Index in keyof Moves]: QueueRecord }>;
async function given(...moves: Move[]): Promise<QueueRecord[]> {
  const records: QueueRecord[] = [];
  for (const move of moves) {
    const [, userId = "", sign, amount = ""] = /^(\w+) ([+-])(\d+)$/.exec(move) ?? [];
    const idempotencyKey = `record-${++commands}`;
    const type = sign === "+" ? "deposit" : "withdrawal";
    await submit(submissionWith({ userId, idempotencyKey, type, currency: "JPY", amount }), ports);
    const message = ports.sent.pop();
    if (!message) throw new Error("The command was not accepted");
    records.push(recordOf(message, idempotencyKey));
  }
  return records;
}

/** A record with the message of another one, something in its only command changed. */
function forged(record: QueueRecord, change: Readonly<Record<string, string>>): QueueRecord {
  const { commands, ...others } = JSON.parse(record.body);
  const body = JSON.stringify({ ...others, commands: [{ ...commands[0], ...change }] });
  return { ...record, recordId: `${record.recordId}-forged`, body };
}

const idOf = ({ body }: QueueRecord): string => commandsIn(decodeMessage(body))[0]?.id ?? "";

const malformed = (userId: string): QueueRecord => ({
  recordId: "record-malformed",
  groupId: userId,
  body: "{",
  isRedelivered: false,
});

/** A wallet of yen after this many decisions, to start from or to compare with. */
const walletOf = (sequence: number, yen: bigint): Wallet => ({
  ...emptyWallet,
  sequence,
  available: new Map(yen === 0n ? [] : [["JPY", yen]]),
});
const wallet = (userId: string) => {
  const stored = ports.wallets.get(userId);
  return stored && { ...stored, decidedAt: undefined, hash: undefined };
};
const yen = (userId: string) => ports.wallets.get(userId)?.available.get("JPY");
const statuses = () => [...ports.transactions.values()].map(({ decision }) => decision?.outcome.status ?? "pending");
const deadLetters = () => ports.deadLetters.map(({ record, reason }) => [record.recordId, reason]);
const callsOf = (operation: string) => ports.calls.filter((call) => call.startsWith(operation));

const BUG = { error: new TypeError("bug") };

/** Another writer writes alice's wallet just before the next commit. */
function writeBeforeCommit(wallet: Wallet) {
  ports.intervene({ operation: "commit", at: "before", act: () => ports.wallets.set("alice", wallet) });
}

describe("one batch", () => {
  it("of one user takes one read and one write", async () => {
    const records = await given("alice +100", "alice -30", "alice -80", "alice +5", "alice -75");
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);

    expect(ports.calls).toEqual(["readWallets alice", "commit alice"]);
    expect(statuses()).toEqual(["posted", "posted", "rejected", "posted", "posted"]);
    expect(wallet("alice")).toEqual(walletOf(5, 0n));
    expect([...ports.transactions.values()].map(({ decision }) => decision)).toMatchObject([
      { sequence: 1, postings: [{ balanceAfterMinor: 100n }] },
      { sequence: 2, postings: [{ balanceAfterMinor: 70n }] },
      { sequence: 3, postings: [], outcome: { code: "insufficient_funds" } },
      { sequence: 4, postings: [{ balanceAfterMinor: 75n }] },
      { sequence: 5, postings: [{ balanceAfterMinor: 0n }] },
    ]);
  });

  it("acknowledges a rejection, because it is an outcome", async () => {
    expect(await consume(await given("alice -1"), ports)).toEqual([]);
    expect(statuses()).toEqual(["rejected"]);
    expect(wallet("alice")).toEqual(walletOf(1, 0n));
    expect(ports.deadLetters).toEqual([]);
  });

  it("rejects a deposit that would exceed the balance limit", async () => {
    ports.wallets.set("alice", walletOf(9, MINOR_UNITS_MAX));

    expect(await consume(await given("alice +1"), ports)).toEqual([]);
    expect([...ports.transactions.values()][0]?.decision).toMatchObject({
      sequence: 10,
      outcome: { status: "rejected", code: "balance_limit" },
    });
  });

  it("starts from the wallet after the previous batch", async () => {
    await consume(await given("alice +10"), ports);
    await consume(await given("alice -4", "alice +1"), ports);

    expect(wallet("alice")).toEqual(walletOf(3, 7n));
  });

  it("of several users takes one read and one write, and decides each user independently", async () => {
    const records = await given("alice +10", "bob -10", "alice -10", "bob +10");
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    expect(ports.calls).toEqual(["readWallets alice bob", "commit alice bob"]);
    expect(yen("alice")).toBeUndefined();
    expect(yen("bob")).toBe(10n);
    expect(ports.wallets.get("bob")?.sequence).toBe(2);
  });

  it("reports every committed decision to the observer, user by user", async () => {
    await consume(await given("alice +10", "bob +5", "alice -99"), ports);

    const reported = ports.observed.committed.map((write) =>
      write.map(({ command, decision }) => [command.userId, decision.sequence, decision.outcome.status]),
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
    const records = await given("alice +10", "bob +20", "alice +1", "carol +30");
    ports.fail("commit", "before", { userId: "alice", times: 100 });

    expect(await consume(records, ports)).toEqual(["record-1", "record-3"]);
    expect([yen("alice"), yen("bob"), yen("carol")]).toEqual([undefined, 20n, 30n]);
    expect(ports.observed.failed).toEqual([{ recordIds: ["record-1", "record-3"], error: expect.any(TransientError) }]);
    expect(ports.deadLetters).toEqual([]);
  });

  it("that is a bug in the code or the data fails without a retry, and only for that user", async () => {
    const records = await given("alice +10", "bob +20");
    ports.fail("readWallets", "before", { userId: "alice", times: 9, ...BUG });
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual(["record-1"]);
    expect(yen("bob")).toBe(20n);
    expect(ports.calls.filter((call) => call.endsWith("alice"))).toEqual(["readWallets alice"]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(TypeError);
  });

  it("is resolved by the next delivery", async () => {
    const records = await given("alice +10", "alice -3");
    ports.fail("commit", "before", { times: 6 });

    expect(await consume(records, ports)).toEqual(["record-1", "record-2"]);
    expect(await consume(records, ports)).toEqual([]);
    expect(wallet("alice")).toEqual(walletOf(2, 7n));
  });
});

describe("the write that several users share", () => {
  it.each([
    ["failed", () => ports.fail("commit", "before")],
    ["succeeded without a response", () => ports.fail("commit", "after")],
    ["could not be prepared because of a bug", () => ports.fail("readWallets", "before", BUG)],
    ["conflicted with another writer", () => writeBeforeCommit(walletOf(4, 90n))],
  ])("is replaced by one write per user if it %s, without a pause", async (_, happens) => {
    const records = await given("alice +10", "bob +20");
    happens();
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    expect(statuses()).toEqual(["posted", "posted"]);
    expect(yen("bob")).toBe(20n);
    expect(ports.wallets.get("bob")?.sequence).toBe(1);
    expect(callsOf("readWallets")).toEqual(["readWallets alice bob", "readWallets alice", "readWallets bob"]);
    expect(ports.clock.sleeps).toEqual([]);
  });

  it("is replaced by one write per user if one record was not accepted", async () => {
    const [alices, ...others] = await given("alice +10", "bob +20", "carol +30");
    const wrong = forged(alices, { id: "tx_nobody_accepted" });

    expect(await consume([wrong, ...others], ports)).toEqual([]);
    expect([yen("alice"), yen("bob"), yen("carol")]).toEqual([undefined, 20n, 30n]);
    expect(deadLetters()).toEqual([[wrong.recordId, "unknown_transaction"]]);
  });

  it.each([
    ["a transient error", "unavailable", () => ports.fail("commit", "before")],
    ["a bug in the code or the data", "error", () => ports.fail("commit", "before", BUG)],
    ["a decided transaction", "precondition_failed", (record: QueueRecord) => consume([record], ports)],
    ["an invalid write", "invalid_write", (record: QueueRecord) => void ports.invalidWriteIds.add(idOf(record))],
  ])("that failed because of %s is reported as a retry of each user, cause %s", async (_, cause, happens) => {
    const records = await given("alice +10", "bob +20");
    await happens(records[0]);

    await consume(records, ports);
    expect(ports.observed.retried).toEqual(["alice", "bob"]);
    expect(ports.observed.retryCauses).toEqual([cause, cause]);
  });
});

describe("a transient error of the store", () => {
  it.each(["readWallets", "commit"] as const)("in %s is retried, and the commands are decided", async (operation) => {
    ports.fail(operation, "before", { times: 3 });

    expect(await consume(await given("alice +10"), ports)).toEqual([]);
    expect(yen("alice")).toBe(10n);
    expect(ports.observed.retried).toEqual(["alice", "alice", "alice"]);
    expect(ports.clock.sleeps).toHaveLength(3);
  });

  it("after the write decides nothing twice", async () => {
    const records = await given("alice +10", "alice -3");
    ports.fail("commit", "after");

    expect(await consume(records, ports)).toEqual([]);
    expect(wallet("alice")).toEqual(walletOf(2, 7n));
    expect(ports.deadLetters).toEqual([]);
  });
});

describe("a conflict with another writer", () => {
  const theirs = walletOf(4, 2n);

  it("is decided again on the wallet of the other writer", async () => {
    ports.wallets.set("alice", walletOf(3, 10n));
    writeBeforeCommit(theirs);

    expect(await consume(await given("alice -10"), ports)).toEqual([]);
    expect(statuses()).toEqual(["rejected"]);
    expect(wallet("alice")).toEqual(walletOf(5, 2n));
    expect(ports.observed.retried).toEqual(["alice"]);
  });

  it("on the first write of a wallet is decided again too", async () => {
    writeBeforeCommit(theirs);

    expect(await consume(await given("alice +1"), ports)).toEqual([]);
    expect(wallet("alice")).toEqual(walletOf(5, 3n));
  });

  it("that persists releases the records after a bounded number of attempts, with growing pauses", async () => {
    let sequence = 0;
    ports.intervene({
      operation: "commit",
      at: "before",
      times: 1000,
      act: () => ports.wallets.set("alice", { ...theirs, sequence: ++sequence }),
    });

    expect(await consume(await given("alice +1"), ports)).toEqual(["record-1"]);
    expect(callsOf("commit")).toHaveLength(6);
    expect(statuses()).toEqual(["pending"]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(TransientError);
    expect(ports.clock.sleeps).toEqual([...ports.clock.sleeps].sort((a, b) => a - b));
    expect(Math.max(...ports.clock.sleeps)).toBeLessThanOrEqual(400);
  });

  it("with a slow store starts no round more than 3.5 s after the delivery", async () => {
    const records = await given("alice +1");
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

    expect(await consume(records, ports)).toEqual(["record-1"]);
    expect(readsAtMs.length).toBe(2);
    expect(Math.max(...readsAtMs)).toBeLessThan(3500);
  });
});

describe("a record that was already decided", () => {
  it("is acknowledged, and the user's new records are decided", async () => {
    const [old] = await given("alice +10");
    await consume([old], ports);
    const [fresh] = await given("alice -4");

    expect(await consume([old, fresh], ports)).toEqual([]);
    expect(wallet("alice")).toEqual(walletOf(2, 6n));
    expect(ports.deadLetters).toEqual([]);
  });

  it("is acknowledged when its whole batch is delivered again", async () => {
    const records = await given("alice +10", "alice -4", "bob +1");
    await consume(records, ports);
    const wallets = new Map(ports.wallets);

    for (let delivery = 1; delivery <= 3; delivery++) expect(await consume(records, ports)).toEqual([]);
    expect(ports.wallets).toEqual(wallets);
    expect(ports.observed.committed).toHaveLength(2);
  });

  it("stays rejected if the balance would suffice now", async () => {
    const refused = await given("alice -10");
    await consume(refused, ports);

    expect(await consume([...(await given("alice +10")), ...refused], ports)).toEqual([]);
    expect(yen("alice")).toBe(10n);
    expect(statuses()).toEqual(["rejected", "posted"]);
  });

  it("twice in one batch is decided once, in its first position, and both are acknowledged", async () => {
    const [deposit, withdrawal] = await given("alice +10", "alice -10");
    const duplicate = { ...deposit, recordId: "record-duplicate" };

    expect(await consume([deposit, withdrawal, duplicate], ports)).toEqual([]);
    expect(wallet("alice")).toEqual(walletOf(2, 0n));
    expect(callsOf("commit")).toHaveLength(1);
  });

  it("twice in one batch that fails is reported under both records", async () => {
    const [deposit] = await given("alice +10");
    const duplicate = { ...deposit, recordId: "record-duplicate" };
    ports.fail("commit", "before", { times: 100 });

    expect(await consume([deposit, duplicate], ports)).toEqual(["record-1", "record-duplicate"]);
  });
});

describe("a record that can't be decided", () => {
  const changed = (change: Readonly<Record<string, string>>) => (accepted: QueueRecord) => forged(accepted, change);

  describe.each<[string, DeadLetterReason, (accepted: QueueRecord) => QueueRecord]>([
    ["it is malformed", "malformed", () => malformed("alice")],
    ["its transaction was not accepted", "unknown_transaction", changed({ id: "tx_unknown" })],
    ["it is in another user's group", "group_mismatch", (accepted) => ({ ...accepted, groupId: "mallory" })],
    [
      "the transaction is another user's",
      "unknown_transaction",
      (accepted) => ({ ...forged(accepted, { userId: "mallory" }), groupId: "mallory" }),
    ],
    ["it has another details hash", "content_mismatch", changed({ detailsHash: "another" })],
    ["it has another actor", "content_mismatch", changed({ actor: "admin" })],
    ["it has another time", "content_mismatch", changed({ createdAt: "2026-11-23T09:29:59.999Z" })],
    ["it has another amount", "content_mismatch", changed({ amountMinor: "777777" })],
    ["it has another type", "content_mismatch", changed({ type: "withdrawal" })],
    ["it has another currency", "content_mismatch", changed({ currency: "NONE" })],
  ])("because %s", (_why, reason, poisonFrom) => {
    it("is dead-lettered and moves nothing, before the decision and after it", async () => {
      const [accepted] = await given("alice +10");
      const poison = poisonFrom(accepted);

      expect(await consume([poison], ports)).toEqual([]);
      expect(ports.wallets.size).toBe(0);
      expect(statuses()).toEqual(["pending"]);

      expect(await consume([accepted], ports)).toEqual([]);
      expect(await consume([poison], ports)).toEqual([]);
      expect(deadLetters()).toEqual([
        [poison.recordId, reason],
        [poison.recordId, reason],
      ]);
      expect([...ports.wallets.keys()]).toEqual(["alice"]);
      expect(wallet("alice")).toEqual(walletOf(1, 10n));
    });

    it.each([0, 1, 2])("is dead-lettered alone at index %i of a batch; the others are decided in order", async (at) => {
      const records = await given("alice +10", "alice -10");
      const poison = poisonFrom(records[0]);

      expect(await consume([...records.slice(0, at), poison, ...records.slice(at)], ports)).toEqual([]);
      expect(ports.observed.deadLettered).toEqual([`${poison.recordId} ${reason}`]);
      expect(deadLetters()).toEqual([[poison.recordId, reason]]);
      expect([...ports.wallets.keys()]).toEqual(["alice"]);
      expect(wallet("alice")).toEqual(walletOf(2, 0n));
    });
  });

  it("because of an invalid write is dead-lettered alone; the others are decided in order", async () => {
    const records = await given("alice +10", "alice +7", "alice -10", "bob +1");
    ports.invalidWriteIds.add(idOf(records[1]));

    expect(await consume(records, ports)).toEqual([]);
    expect(deadLetters()).toEqual([["record-2", "invalid_write"]]);
    expect(statuses()).toEqual(["posted", "pending", "posted", "posted"]);
    expect(wallet("alice")).toEqual(walletOf(2, 0n));
    expect(yen("bob")).toBe(1n);
  });

  it("is dead-lettered under each of its records, with the request id of each", async () => {
    const [accepted] = await given("alice +10");
    const poison = forged(accepted, { id: "tx_unknown" });
    const body = JSON.stringify({ ...JSON.parse(poison.body), requestId: "another request" });
    const duplicate = { ...poison, recordId: "record-duplicate", body };

    expect(await consume([poison, duplicate], ports)).toEqual([]);
    expect(deadLetters()).toEqual([
      [poison.recordId, "unknown_transaction"],
      ["record-duplicate", "unknown_transaction"],
    ]);
    const requestIds = ports.deadLetters.map(({ record }) => decodeMessage(record.body)?.requestId);
    expect(requestIds).toEqual([JSON.parse(poison.body).requestId, "another request"]);
  });

  it("is processed independently of decided, unknown and valid records in its batch", async () => {
    const [decided] = await given("alice +10");
    await consume([decided], ports);
    const unknown = forged(decided, { id: "tx_unknown" });
    const [good] = await given("alice -1");

    expect(await consume([unknown, decided, malformed("alice"), good], ports)).toEqual([]);
    expect(deadLetters().sort()).toEqual([
      [unknown.recordId, "unknown_transaction"],
      ["record-malformed", "malformed"],
    ]);
    expect(wallet("alice")).toEqual(walletOf(2, 9n));
  });
});

describe("a clock that is behind", () => {
  const createdAt = timeAt(60_000);

  it.each([
    ["the user's last decision", () => void ports.wallets.set("alice", { ...walletOf(1, 5n), decidedAt: createdAt })],
    ["the command", () => ports.clock.advance(-60_000)],
  ])("%s by more than 5 s leaves the user's records in the queue, and no others", async (_whom, happens) => {
    const [alices] = await given("alice +10");
    happens();
    const [bobs] = await given("bob +1");

    expect(await consume([alices, bobs], ports)).toEqual([alices.recordId]);
    expect(statuses()).toEqual(["pending", "posted"]);
    expect(new Set(ports.observed.retryCauses)).toEqual(new Set(["clock_behind"]));
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(TransientError);
    expect(ports.deadLetters).toEqual([]);

    ports.clock.advance(120_000);
    expect(await consume([alices], ports)).toEqual([]);
    expect(statuses()).toEqual(["posted", "posted"]);
  });

  it.each([
    [5000, []],
    [5001, ["clock_behind"]],
  ])("the last decision by %i ms decides no earlier than that, after the retries %j", async (aheadMs, retries) => {
    const records = await given("alice +10");
    ports.wallets.set("alice", { ...walletOf(1, 5n), decidedAt: timeAt(aheadMs) });

    expect(await consume(records, ports)).toEqual([]);
    expect(ports.observed.retryCauses).toEqual(retries);
    expect(ports.wallets.get("alice")?.decidedAt).toBe(timeAt(aheadMs));
  });

  it.each<[string, DeadLetterReason, Readonly<Record<string, string>>]>([
    ["the time of an accepted command", "content_mismatch", { createdAt }],
    ["a command that was not accepted", "unknown_transaction", { createdAt, id: "tx_unknown" }],
  ])(
    "a message that forges %s is dead-lettered, and the user's commands are decided",
    async (_what, reason, change) => {
      const [first, second] = await given("alice +10", "alice -4");
      const poison = forged(first, change);

      expect(await consume([poison, first, second], ports)).toEqual([]);
      expect(deadLetters()).toEqual([[poison.recordId, reason]]);
      expect(wallet("alice")).toEqual(walletOf(2, 6n));
      expect(ports.observed.retryCauses).toEqual([]);
    },
  );

  it("an accepted command is not dead-lettered with a forged one", async () => {
    const [accepted] = await given("alice +10");
    ports.clock.advance(-60_000);
    const poison = forged(accepted, { id: "tx_unknown" });

    expect(await consume([poison, accepted], ports)).toEqual([poison.recordId, accepted.recordId]);
    expect(deadLetters()).toEqual([[poison.recordId, "unknown_transaction"]]);

    ports.clock.advance(60_000);
    expect(await consume([accepted], ports)).toEqual([]);
    expect(yen("alice")).toBe(10n);
  });
});

describe("the time of a decision", () => {
  it("is the same for a whole batch, and no earlier than that of the previous batch when the clock goes back", async () => {
    await consume(await given("alice +10"), ports);
    const records = await given("alice -1", "alice -99");
    ports.clock.advance(-1000);
    await consume(records, ports);
    const times = [...ports.transactions.values()].map(({ decision }) => decision?.decidedAt);
    expect(times).toEqual(Array(3).fill(timeAt(0)));
  });
});

describe("a message of another version or type", () => {
  it("is delivered again and not dead-lettered, and no later record of its user is decided before it", async () => {
    const [before, after, bobs] = await given("alice +10", "alice -4", "bob +1");

    const unsupported = {
      ...malformed("alice"),
      recordId: "record-unsupported",
      body: '{"version":2,"type":"transfer"}',
    };
    const records = [before, unsupported, malformed("alice"), after, bobs];

    expect(await consume(records, ports)).toEqual(["record-unsupported", "record-malformed", after.recordId]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(UnsupportedMessage);
    expect(ports.deadLetters).toEqual([]);
    expect(yen("alice")).toBe(10n);
    expect(yen("bob")).toBe(1n);
  });
});

/** Accepts commands of any type, and returns their records of the queue. */
async function accepted(...given: readonly Command[]): Promise<QueueRecord[]> {
  for (const command of given) await ports.store.putPending(transactionOf(command));
  return given.map((command) => recordOf({ commands: [command], requestId: "request-1" }, command.id));
}

/** Decides commands of any type, in one batch. */
async function decide(...given: readonly Command[]): Promise<void> {
  expect(await consume(await accepted(...given), ports)).toEqual([]);
}

const stored = ({ userId, id }: Pick<Command, "userId" | "id">) => ports.transactions.get(JSON.stringify([userId, id]));
const resultOf = (command: Command) => {
  const { outcome } = stored(command)?.decision ?? {};
  return outcome?.status === "rejected" ? outcome.code : (outcome?.status ?? "pending");
};
const dollars = (userId: string) => ports.wallets.get(userId)?.available.get("USD") ?? 0n;
const heldDollars = (userId: string) => ports.wallets.get(userId)?.held.get("USD") ?? 0n;
const transfer = (userId: string, to: string, amountMinor: bigint) =>
  commandWith({ type: "transfer", userId, to, amountMinor });
const credits = () => [...ports.transactions.values()].filter(({ type }) => type === "credit");
async function due(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of ports.due.dueBefore("9999")) ids.push(id);
  return ids;
}

/** Accepts commands, and returns the record of one message with all of them. */
async function together(recordId: string, ...commands: readonly Command[]): Promise<QueueRecord> {
  await accepted(...commands);
  return recordOf({ commands, requestId: "request-1" }, recordId);
}

/** The record as the queue delivers it after a failure. */
const redelivered = (record: QueueRecord): QueueRecord => ({ ...record, isRedelivered: true });

const many = <T>(count: number, made: (index: number) => T) => Array.from({ length: count }, (_, index) => made(index));
/** How many commands each write decided. */
const writes = () => ports.observed.committed.map((write) => write.length);
/** The ids of decided commands, in the order of their decisions. */
const decidedIds = (userId = "alice") =>
  [...ports.transactions.values()]
    .filter((each) => each.userId === userId && each.decision)
    .sort((a, b) => (a.decision?.sequence ?? 0) - (b.decision?.sequence ?? 0))
    .map(({ id }) => id);
const idsOf = (commands: readonly Command[]) => commands.map(({ id }) => id);
/** What was dead-lettered: the record, the reason, and the commands of the body with their request. */
const deadLettered = () =>
  ports.deadLetters.map(({ record, reason }) => {
    const { commands = [], requestId } = decodeMessage(record.body) ?? {};
    return { recordId: record.recordId, groupId: record.groupId, reason, commands, requestId };
  });

describe("a message of many commands", () => {
  it.each([
    ["deposits, one item each", 100, () => deposit(1n), [99, 1]],
    ["transfers, two items each", 100, () => transfer("alice", "bob", 1n), [49, 49, 2]],
    ["reversals, two items each", 100, () => reversalOf(deposit(1n)), [49, 49, 2]],
    ["captures for another user, three items each", 100, () => captureOf(hold(1n), { to: "bob" }), [33, 33, 33, 1]],
    ["credits, two items each, since they can be returned", 50, () => credit(1n, "transfer"), [49, 1]],
  ] as const)("is decided in order, in writes of at most 100 items: %s", async (_what, count, command, sizes) => {
    const commands = many<Command>(count, command);
    const record = await together("record-many", ...commands);

    expect(await consume([record], ports)).toEqual([]);
    expect(writes()).toEqual(sizes);
    expect(decidedIds()).toEqual(idsOf(commands));
  });

  it("of each kind fills the writes by the items of each command", async () => {
    const held = hold(200n, { to: "bob" });
    await decide(deposit(1000n), held);
    ports.observed.committed.length = 0;
    // 3 + 2 + 1 items, sixteen times: 96 of the 99 beside the wallet, and the first three of the next six.
    const commands = many(16 + 1, () => [
      captureOf(held, { amountMinor: 1n, final: false, to: "bob" }),
      transfer("alice", "carol", 1n),
      deposit(1n),
    ]).flat();

    expect(await consume([await together("record-many", ...commands)], ports)).toEqual([]);
    expect(writes()).toEqual([49, 2]);
    expect(decidedIds().slice(2)).toEqual(idsOf(commands));
    expect(commands.every((command) => resultOf(command) === "posted")).toBe(true);
    expect([dollars("alice"), heldDollars("alice")]).toEqual([1000n - 200n - 17n + 17n, 200n - 17n]);
  });

  it("of 1,000 commands in ten records is decided in one delivery", async () => {
    const commands = many(1000, () => deposit(1n));
    const records = await Promise.all(
      many(10, () => commands.splice(0, 100)).map((part, index) => together(`record-${index}`, ...part)),
    );

    expect(await consume(records, ports)).toEqual([]);
    expect(writes()).toEqual([...Array(10).fill(99), 10]);
    expect(dollars("alice")).toBe(1000n);
  });

  it.each([
    [49, [["alice", "bob"]]],
    [50, [["alice"], ["bob"]]],
  ])("with %i commands shares its write with another user's if both fit: %j", async (count, users) => {
    const records = [
      await together("record-a", ...many(count, () => deposit(1n))),
      await together("record-b", ...many(count, () => deposit(1n, { userId: "bob" }))),
    ];
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    expect(callsOf("commit")).toEqual(users.map((each) => `commit ${each.join(" ")}`));
    expect([dollars("alice"), dollars("bob")]).toEqual([BigInt(count), BigInt(count)]);
  });

  it("continues on the wallet of another writer when one of its writes conflicts", async () => {
    const commands = many(100, () => deposit(1n));
    const record = await together("record-many", ...commands);
    const writeTheirs = () => {
      const current = ports.wallets.get("alice") ?? emptyWallet;
      ports.wallets.set("alice", { ...current, sequence: 500, available: new Map([["USD", 1000n]]) });
    };
    ports.intervene({
      operation: "commit",
      at: "after",
      act: () => ports.intervene({ operation: "commit", at: "before", act: writeTheirs }),
    });

    expect(await consume([record], ports)).toEqual([]);
    expect(decidedIds()).toEqual(idsOf(commands));
    expect([dollars("alice"), ports.wallets.get("alice")?.sequence]).toEqual([1001n, 501]);
    expect(ports.observed.retryCauses).toEqual(["conflict"]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    "whose command %i has an invalid write has it dead-lettered alone; the others are decided in order",
    async (index) => {
      const commands = many(8, () => deposit(1n));
      const record = await together("record-many", ...commands);
      const invalid = commands[index];
      if (invalid) ports.invalidWriteIds.add(invalid.id);
      ports.calls.length = 0;

      expect(await consume([record], ports)).toEqual([]);
      expect(deadLettered()).toEqual([
        {
          recordId: "record-many",
          groupId: "alice",
          reason: "invalid_write",
          commands: [invalid],
          requestId: "request-1",
        },
      ]);
      expect(decidedIds()).toEqual(idsOf(commands.filter((command) => command !== invalid)));
      // The whole, then two halves of each half that has the invalid command.
      expect(callsOf("commit")).toHaveLength(7);
    },
  );

  it("with several invalid writes has each of them dead-lettered alone, under every record that has it", async () => {
    const commands = many(100, () => deposit(1n));
    const invalid = commands.filter((_, index) => index % 30 === 7);
    for (const { id } of invalid) ports.invalidWriteIds.add(id);
    const records = [
      await together("record-a", ...commands.slice(0, 70)),
      await together("record-b", ...commands.slice(30)),
    ];

    expect(await consume(records, ports)).toEqual([]);
    expect(deadLettered().map(({ recordId, commands }) => [recordId, ...commands])).toEqual([
      ["record-a", commands[7]],
      ["record-a", commands[37]],
      ["record-b", commands[37]],
      ["record-a", commands[67]],
      ["record-b", commands[67]],
      ["record-b", commands[97]],
    ]);
    expect(decidedIds()).toEqual(idsOf(commands.filter((command) => !invalid.includes(command))));
  });

  describe("with a command that can't be decided", () => {
    const first = deposit(10n);
    const last = commandWith({ type: "withdrawal", amountMinor: 10n });
    const bobs = deposit(7n, { userId: "bob" });
    const malformedCommand = new MalformedCommand({ type: "deposit", amountMinor: -7, note: [null] });

    it.each<[string, DeadLetterReason, Command | MalformedCommand]>([
      ["is malformed", "malformed", malformedCommand],
      ["is none", "malformed", new MalformedCommand(null)],
      ["is another user's", "group_mismatch", bobs],
      ["was not accepted", "unknown_transaction", deposit(999n)],
      ["has another content than what was accepted", "content_mismatch", { ...first, amountMinor: 999n }],
    ])("that %s: it is dead-lettered alone, the others are decided", async (_what, reason, poison) => {
      await accepted(first, last, bobs);
      for (const at of [0, 1, 2]) {
        const commands: (Command | MalformedCommand)[] = [first, last];
        commands.splice(at, 0, poison);
        const body = encodeMessage({ commands, requestId: "request-1" });
        const record = { recordId: `record-${at}`, groupId: "alice", body, isRedelivered: false };

        expect(await consume([record], ports)).toEqual([]);
        expect(deadLettered()).toEqual([
          { recordId: `record-${at}`, groupId: "alice", reason, commands: [poison], requestId: "request-1" },
        ]);
        expect(decidedIds()).toEqual(idsOf([first, last]));
        expect(resultOf(last)).toBe("posted");
        expect([...ports.wallets.keys()]).toEqual(["alice"]);

        ports.deadLetters.length = 0;
      }
    });

    it("and can't be dead-lettered either stays; after that its message decides nothing again", async () => {
      await accepted(first, last);
      const body = encodeMessage({ commands: [first, malformedCommand, last], requestId: "request-1" });
      const record = { recordId: "record-many", groupId: "alice", body, isRedelivered: false };
      ports.fail("sendToDeadLetters", "before");
      expect(await consume([record], ports)).toEqual(["record-many"]);
      expect(decidedIds()).toEqual(idsOf([first, last]));
      ports.calls.length = 0;

      expect(await consume([redelivered(record)], ports)).toEqual([]);
      expect(ports.calls.sort()).toEqual(["findTransactions alice alice", "sendToDeadLetters alice"]);
    });

    it("of a type that this version does not know stays as a whole, with the user's later messages", async () => {
      const [early, ...others] = await accepted(first, last);
      const body = encodeMessage({ commands: [last, new MalformedCommand({ type: "loan" })], requestId: "request-1" });
      const newer = { recordId: "record-newer", groupId: "alice", body, isRedelivered: false };
      if (!early) throw new Error("The command was not accepted");

      expect(await consume([early, newer, ...others], ports)).toEqual(["record-newer", last.id]);
      expect([resultOf(first), resultOf(last)]).toEqual(["posted", "pending"]);
      expect(ports.deadLetters).toEqual([]);
      expect(ports.observed.failed[0]?.error).toBeInstanceOf(UnsupportedMessage);
    });

    it("a forged command under the id of a true one does not take the true one with it, before it and after it", async () => {
      await accepted(first, last);
      const forgery = { ...first, amountMinor: 999n };
      const commands = [forgery, first, last, { ...last, actor: "admin" as const }];
      const record = recordOf({ commands, requestId: "request-1" }, "record-many");

      expect(await consume([record], ports)).toEqual([]);
      expect(deadLettered().map(({ reason, commands: [command] }) => [reason, command])).toEqual([
        ["content_mismatch", forgery],
        ["content_mismatch", commands[3]],
      ]);
      expect(decidedIds()).toEqual(idsOf([first, last]));
    });
  });
});

describe("a failure between two writes of a user", () => {
  const commands = () => many(120, () => deposit(1n));

  /** Two records of 60 commands, of which the first write decides 99. */
  async function half(commands: readonly Command[]) {
    const records = [
      await together("record-1", ...commands.slice(0, 60)),
      await together("record-2", ...commands.slice(60)),
    ] as const;
    ports.intervene({
      operation: "commit",
      at: "after",
      act: () => ports.fail("commit", "before", { times: 6 }),
    });
    expect(await consume(records, ports)).toEqual(["record-2"]);
    return records;
  }

  it("leaves only the records with undecided commands in the queue", async () => {
    const all = commands();
    await half(all);

    expect(decidedIds()).toEqual(idsOf(all.slice(0, 99)));
    expect(ports.observed.failed).toEqual([{ recordIds: ["record-2"], error: expect.any(TransientError) }]);
  });

  it("is continued by the next delivery, which reads what is decided and writes the others once", async () => {
    const all = commands();
    const [, second] = await half(all);
    ports.calls.length = 0;

    expect(await consume([redelivered(second)], ports)).toEqual([]);
    expect(ports.calls).toEqual([`findTransactions${" alice".repeat(60)}`, "readWallets alice", "commit alice"]);
    expect(writes()).toEqual([99, 21]);
    expect(decidedIds()).toEqual(idsOf(all));
    expect(ports.observed.retryCauses.filter((cause) => cause !== "unavailable")).toEqual([]);
  });

  it("is continued when the statuses can't be read either: the write finds out", async () => {
    const all = commands();
    const [, second] = await half(all);
    ports.fail("findTransactions", "before");

    expect(await consume([redelivered(second)], ports)).toEqual([]);
    expect(decidedIds()).toEqual(idsOf(all));
    expect(dollars("alice")).toBe(120n);
  });

  it("of the first write leaves all records in the queue, and no later write starts, to keep the order", async () => {
    const all = commands();
    const records = [
      await together("record-1", ...all.slice(0, 60)),
      await together("record-2", ...all.slice(60, 110)),
      await together("record-3", ...all.slice(110)),
    ];
    ports.fail("commit", "before", { times: 6 });

    expect(await consume(records, ports)).toEqual(["record-1", "record-2", "record-3"]);
    expect([callsOf("commit").length, decidedIds()]).toEqual([6, []]);
    expect(await consume(records.map(redelivered), ports)).toEqual([]);
    expect(decidedIds()).toEqual(idsOf(all));
  });

  it("keeps a bug in one user's writes from the other users", async () => {
    const records = [
      await together("record-1", ...many(100, () => deposit(1n))),
      await together("record-2", ...many(100, () => deposit(1n, { userId: "bob" }))),
    ];
    ports.intervene({
      operation: "commit",
      at: "after",
      userId: "alice",
      act: () => ports.fail("commit", "before", { userId: "alice", ...BUG }),
    });

    expect(await consume(records, ports)).toEqual(["record-1"]);
    expect([dollars("alice"), dollars("bob")]).toEqual([99n, 100n]);
    expect(ports.observed.failed[0]?.error).toBeInstanceOf(TypeError);
  });

  it("happens when the time of the delivery is over: no later write starts, and the next delivery makes it", async () => {
    const all = many(250, () => deposit(1n));
    const records = [
      await together("record-1", ...all.slice(0, 100)),
      await together("record-2", ...all.slice(100, 200)),
      await together("record-3", ...all.slice(200)),
    ];
    // A read and a write take 2 s, so that the third write would start 4 s after the delivery.
    ports.setLatency(1000);

    expect(await consume(records, ports)).toEqual(["record-2", "record-3"]);
    expect(writes()).toEqual([99, 99]);

    expect(await consume(records.slice(1).map(redelivered), ports)).toEqual([]);
    expect(writes()).toEqual([99, 99, 52]);
    expect(decidedIds()).toEqual(idsOf(all));
  });

  it("that is delivered again after all is decided reads once and writes nothing", async () => {
    const record = await together("record-1", ...commands().slice(0, 100));
    await consume([record], ports);
    ports.calls.length = 0;

    expect(await consume([redelivered(record)], ports)).toEqual([]);
    expect(ports.calls).toEqual([`findTransactions${" alice".repeat(100)}`]);
  });
});

describe("commands that several records have", () => {
  it("are decided once, in the order of their first records", async () => {
    const all = many(6, () => deposit(1n));
    const records = [
      await together("record-1", ...all.slice(0, 4)),
      recordOf({ commands: all.slice(2), requestId: "request-2" }, "record-2"),
    ];
    await accepted(...all);

    expect(await consume(records, ports)).toEqual([]);
    expect(decidedIds()).toEqual(idsOf(all));
    expect(writes()).toEqual([6]);
  });

  it("twice in one message are decided once, and dead-lettered once", async () => {
    const [good, invalid] = [deposit(1n), deposit(2n)];
    ports.invalidWriteIds.add(invalid.id);
    const record = await together("record-1", good, invalid, invalid, good);

    expect(await consume([record], ports)).toEqual([]);
    expect([decidedIds(), deadLetters()]).toEqual([[good.id], [["record-1", "invalid_write"]]]);
  });

  it("leave all their records in the queue when they can't be decided", async () => {
    const all = many(3, () => deposit(1n));
    const records = [
      await together("record-1", ...all),
      recordOf({ commands: all.slice(1, 2), requestId: "request-2" }, "record-2"),
    ];
    ports.fail("commit", "before", { times: 6 });

    expect(await consume(records, ports)).toEqual(["record-1", "record-2"]);
  });
});

describe("movements that refer to others", () => {
  const held = hold(7n);

  it("a hold and its capture in one batch take one read of what they refer to, and one write", async () => {
    const capture = captureOf(held);
    const records = await accepted(deposit(10n), held, capture);
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    expect(ports.calls).toEqual(["readWallets alice", "findTransactions alice", "commit alice"]);
    expect(resultOf(capture)).toBe("posted");
    expect(stored(held)?.remainder).toEqual({ remainingMinor: 0n, holdStatus: "captured" });
    expect([dollars("alice"), heldDollars("alice")]).toEqual([3n, 0n]);
    expect(await due()).toEqual([]);
  });

  it.each([
    ["final ones: the second is rejected", {}, ["posted", "hold_closed"], [3n, 0n, 0n]],
    ["parts: both are posted", { amountMinor: 2n, final: false }, ["posted", "posted"], [3n, 3n, 3n]],
    ["parts that exceed it", { amountMinor: 5n, final: false }, ["posted", "capture_exceeds_hold"], [3n, 2n, 2n]],
  ] as const)("two captures of one hold in one batch, %s", async (_what, change, results, balances) => {
    await decide(deposit(10n), held);
    const [first, second] = [captureOf(held, change), captureOf(held, change)];

    await decide(first, second);
    expect([first, second].map(resultOf)).toEqual(results);
    const remainingMinor = stored(held)?.remainder?.remainingMinor;
    expect([dollars("alice"), heldDollars("alice"), remainingMinor]).toEqual(balances);
  });

  it("a capture whose hold another writer changes before the write is decided again on what it has left", async () => {
    await decide(deposit(10n), held);
    const capture = captureOf(held, { amountMinor: 5n });
    const act = () => {
      const before = stored(held);
      const remainder = { remainingMinor: 4n, holdStatus: "open" } as const;
      if (before) ports.transactions.set(JSON.stringify(["alice", held.id]), { ...before, remainder });
    };
    ports.intervene({ operation: "commit", at: "before", act });

    await decide(capture);
    expect(resultOf(capture)).toBe("capture_exceeds_hold");
    expect(ports.observed.retryCauses).toEqual(["conflict"]);
    expect(stored(held)?.remainder?.remainingMinor).toBe(4n);
  });

  it("a capture whose hold another writer decides between the reads is decided again", async () => {
    await decide(deposit(10n));
    const [heldRecord = malformed("alice"), captureRecord = malformed("alice")] = await accepted(held, captureOf(held));
    let interleaved: Promise<string[]> | undefined;
    const act = () => {
      interleaved = consume([heldRecord], ports);
    };
    ports.intervene({ operation: "readWallets", at: "after", act });

    expect(await consume([captureRecord], ports)).toEqual([]);
    expect(await interleaved).toEqual([]);
    expect(stored(held)?.remainder).toEqual({ remainingMinor: 0n, holdStatus: "captured" });
    expect(ports.wallets.get("alice")?.sequence).toBe(3);
    expect(ports.observed.retryCauses).toEqual(["conflict"]);
  });

  it("a hold that is delivered again with a new capture of it is not decided again", async () => {
    await decide(deposit(100n), held);
    const records = await accepted(captureOf(held, { amountMinor: 2n, final: false }));
    const again = recordOf({ commands: [held], requestId: "request-1" }, "record-again");
    ports.calls.length = 0;

    expect(await consume([again, ...records], ports)).toEqual([]);
    expect(stored(held)?.remainder).toEqual({ remainingMinor: 5n, holdStatus: "open" });
    expect(ports.wallets.get("alice")?.sequence).toBe(3);
    expect(callsOf("commit")).toHaveLength(2);
  });

  it("a transaction of another user under the same id is not what they refer to", async () => {
    const bobs = hold(7n, { userId: "bob" });
    await decide(deposit(10n, { userId: "bob" }), bobs, deposit(10n));
    const [alices, own] = [captureOf(bobs), captureOf(bobs, { userId: "bob", amountMinor: 2n, final: false })];

    ports.calls.length = 0;

    await decide(alices, own);
    expect(callsOf("commit")).toEqual(["commit alice bob"]);
    expect([alices, own].map(resultOf)).toEqual(["hold_closed", "posted"]);
    expect(heldDollars("bob")).toBe(5n);
  });
});

describe("movements that send money to another wallet", () => {
  it("a chain of transfers through five users in one batch takes one write, and every credit arrives once", async () => {
    const users = ["alice", "bob", "carol", "dave", "erin"];
    await decide(...users.map((userId) => deposit(10n, { userId })));
    const transfers = users.map((userId, index) => transfer(userId, users[(index + 1) % 5] ?? "", BigInt(index + 1)));
    const records = await accepted(...transfers);
    ports.calls.length = 0;

    expect(await consume(records, ports)).toEqual([]);
    const all = users.join(" ");
    expect(ports.calls.slice(0, 2)).toEqual([`readWallets ${all}`, `commit ${all}`]);
    expect(callsOf("commit")).toHaveLength(1);
    expect(users.map(dollars)).toEqual([9n, 8n, 7n, 6n, 5n]);
    expect(credits().map(({ userId, amountMinor }) => [userId, amountMinor])).toEqual([
      ["bob", 1n],
      ["carol", 2n],
      ["dave", 3n],
      ["erin", 4n],
      ["alice", 5n],
    ]);

    await consumeSent(ports);
    expect(users.map(dollars)).toEqual([14n, 9n, 9n, 9n, 9n]);
    expect(await consume(records, ports)).toEqual([]);
    expect(ports.sent).toEqual([]);
    expect(credits()).toHaveLength(5);
    expect(await due()).toEqual([]);
  });

  it("a chain of which each user passes on what arrives in the same batch moves all the money", async () => {
    const users = ["alice", "bob", "carol", "dave", "erin"];
    await decide(deposit(10n));
    for (const [index, to] of users.slice(1).entries()) {
      const arrived = ports.sent.splice(0).map((message, at) => recordOf(message, `credit-${at}`));
      const onward = await accepted(transfer(users[index] ?? "", to, 10n));
      expect(await consume([...arrived, ...onward], ports)).toEqual([]);
    }
    await consumeSent(ports);
    expect(users.map(dollars)).toEqual([0n, 0n, 0n, 0n, 10n]);
  });

  it("a transfer to a user of the same batch waits for its credit", async () => {
    await decide(deposit(10n));
    const [first, onward] = [transfer("alice", "bob", 10n), transfer("bob", "carol", 10n)];

    await decide(first, onward);
    expect([first, onward].map(resultOf)).toEqual(["posted", "insufficient_funds"]);
  });

  it.each([
    ["before it has an effect", "before", []],
    ["without a response", "after", [expect.objectContaining({ requestId: "request-1" })]],
  ] as const)("a send of the credit that fails %s does not fail the sender's record", async (_when, at, sent) => {
    await decide(deposit(10n));
    ports.fail("send", at, { userId: "bob" });
    const command = transfer("alice", "bob", 4n);

    await decide(command);
    const ids = credits().map(({ id }) => id);
    expect(ids).toHaveLength(1);
    expect(ports.observed.unsent).toEqual(ids);
    expect(ports.sent).toEqual(sent);
    expect(ports.observed.failed).toEqual([]);
    expect(dollars("alice")).toBe(6n);
    expect(await due()).toEqual(ids);
  });

  it("a send that fails because of a bug does not fail the record either, nor the other credits", async () => {
    await decide(deposit(10n));
    ports.fail("send", "before", { userId: "bob", ...BUG });

    await decide(transfer("alice", "bob", 4n), transfer("alice", "carol", 4n));
    expect(ports.observed.unsent).toHaveLength(1);
    expect(ports.sent.map(userIdOf)).toEqual(["carol"]);
  });

  it("a write that fails leaves neither debit nor credit, and its next delivery makes both once", async () => {
    await decide(deposit(10n));
    const records = await accepted(transfer("alice", "bob", 4n));
    ports.fail("commit", "before", { times: 6 });

    expect(await consume(records, ports)).toEqual(records.map(({ recordId }) => recordId));
    expect([dollars("alice"), credits(), ports.sent, await due()]).toEqual([10n, [], [], []]);

    expect(await consume(records, ports)).toEqual([]);
    expect([dollars("alice"), credits().length, ports.sent.length]).toEqual([6n, 1, 1]);
  });

  it("a write whose response is lost makes both once, and leaves the credit to the sweep", async () => {
    await decide(deposit(10n));
    ports.fail("commit", "after");

    await decide(transfer("alice", "bob", 4n));
    expect([dollars("alice"), credits().length, ports.sent.length]).toEqual([6n, 1, 0]);
    expect(await due()).toEqual(credits().map(({ id }) => id));
  });

  it("the credits of a write are sent together, one message for each receiver and request", async () => {
    await decide(deposit(100n));
    const payroll = many(6, (index) => transfer("alice", ["bob", "carol"][index % 2] ?? "", BigInt(index + 1)));
    const bonus = transfer("alice", "bob", 9n);
    await accepted(bonus);
    const records = [
      await together("record-payroll", ...payroll),
      recordOf({ commands: [bonus], requestId: "request-2" }, "record-bonus"),
    ];
    const sendAll = vi.spyOn(ports.queue, "sendAll");

    expect(await consume(records, ports)).toEqual([]);
    expect(sendAll).toHaveBeenCalledTimes(1);
    const sent = ports.sent.map((message) => [
      userIdOf(message),
      message.requestId,
      message.commands.map(({ amountMinor }) => amountMinor),
    ]);
    expect(sent).toEqual([
      ["bob", "request-1", [1n, 3n, 5n]],
      ["carol", "request-1", [2n, 4n, 6n]],
      ["bob", "request-2", [9n]],
    ]);
    await consumeSent(ports);
    expect([dollars("alice"), dollars("bob"), dollars("carol")]).toEqual([70n, 18n, 12n]);
  });

  it("credits of which some can't be sent are reported, and the sweep sends exactly these", async () => {
    await decide(deposit(100n));
    const payroll = ["bob", "carol", "bob", "dave"].map((to) => transfer("alice", to, 1n));
    ports.fail("send", "before", { userId: "bob" });

    expect(await consume([await together("record-payroll", ...payroll)], ports)).toEqual([]);
    const ofBob = idsOf(credits().filter(({ userId }) => userId === "bob"));
    expect(ofBob).toHaveLength(2);
    expect(ports.observed.unsent).toEqual(ofBob);
    expect(ports.sent.map(userIdOf)).toEqual(["carol", "dave"]);
    await consumeSent(ports);

    ports.clock.advance(61_000);
    expect(await sweep(ports)).toMatchObject({ credits: 2, failures: [] });
    expect(ports.sent.flatMap(({ commands }) => idsOf(commands))).toEqual(ofBob);
    await consumeSent(ports);
    expect(["bob", "carol", "dave"].map(dollars)).toEqual([2n, 1n, 1n]);
    expect(await due()).toEqual([]);
  });

  it("a receiver whose data can't be read does not affect the sender", async () => {
    await decide(deposit(10n));
    const command = transfer("alice", "bob", 4n);
    ports.fail("readWallets", "before", { userId: "bob", times: 100 });

    await decide(command);
    expect(resultOf(command)).toBe("posted");
    await expect(consumeSent(ports)).rejects.toThrow();
    expect(credits().map(resultOf)).toEqual(["pending"]);
  });

  it("a credit that the receiver rejects returns to the sender, also if the sender's wallet is closed then", async () => {
    await decide(deposit(10n), commandWith({ type: "status_change", userId: "bob", newStatus: "closed" }));
    await decide(transfer("alice", "bob", 10n));
    await decide(statusChange("closed"));
    await consumeSent(ports);
    await consumeSent(ports);

    expect(credits().map((each) => [each.userId, resultOf(each)])).toEqual([
      ["bob", "wallet_closed"],
      ["alice", "posted"],
    ]);
    expect([dollars("alice"), dollars("bob"), ports.wallets.get("alice")?.status]).toEqual([10n, 0n, "closed"]);
    expect([ports.sent, await due()]).toEqual([[], []]);
  });

  it("a refund whose credit is rejected restores what remains of the refunded credit", async () => {
    await decide(deposit(10n, { userId: "bob" }), transfer("bob", "alice", 10n));
    await consumeSent(ports);
    const [original = deposit(1n)] = credits();
    await decide(commandWith({ type: "status_change", userId: "bob", newStatus: "closed" }));
    await decide(reversalOf(original, { to: "bob", amountMinor: 8n }));
    expect(stored(original)?.remainder?.remainingMinor).toBe(2n);

    await consumeSent(ports);
    await consumeSent(ports);
    expect(stored(original)?.remainder?.remainingMinor).toBe(10n);
    expect([dollars("alice"), dollars("bob")]).toEqual([10n, 0n]);
  });

  it("a credit that no decision emitted is dead-lettered and moves nothing", async () => {
    const forgery = credit(5n, "transfer");
    const record = recordOf({ commands: [forgery], requestId: "request-1" }, "record-forged");

    expect(await consume([record], ports)).toEqual([]);
    expect(deadLetters()).toEqual([["record-forged", "unknown_transaction"]]);
    expect(ports.wallets.size).toBe(0);
  });

  it("a credit with another amount than was emitted is dead-lettered, and the emitted one is decided", async () => {
    await decide(deposit(10n), transfer("alice", "bob", 4n));
    const [emitted] = ports.sent.splice(0).map((message) => recordOf(message, "record-credit"));
    if (!emitted) throw new Error("No credit was sent");

    const poison = forged(emitted, { amountMinor: "400" });
    expect(await consume([poison, emitted], ports)).toEqual([]);
    expect(deadLetters()).toEqual([[poison.recordId, "content_mismatch"]]);
    expect(dollars("bob")).toBe(4n);
  });
});

describe("a failed send to the dead-letter queue", () => {
  it("leaves a malformed record in the queue, and only that one", async () => {
    const [good] = await given("alice +10");
    ports.fail("sendToDeadLetters", "before");

    expect(await consume([malformed("alice"), good], ports)).toEqual(["record-malformed"]);
    expect(ports.deadLetters).toEqual([]);
    expect(ports.observed.deadLettered).toEqual([]);
    expect(yen("alice")).toBe(10n);
  });

  it("leaves all records of its user in the queue, in order, and no others", async () => {
    const [good, bobs] = await given("alice +10", "bob +20");
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
