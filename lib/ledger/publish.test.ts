import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { decideAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { inMemoryPublisher, publishPorts } from "../../testkit/publisher.ts";
import type { DecidedTransaction } from "../domain/transaction.ts";
import { TransientError, UnreadableItem } from "./ports.ts";
import { publish, type UnreadableChange, type WalletChange } from "./publish.ts";

let ports: InMemoryPorts;
let topic: ReturnType<typeof inMemoryPublisher>;
let publication: ReturnType<typeof publishPorts>;
beforeEach(() => {
  ports = inMemoryPorts();
  topic = inMemoryPublisher();
  publication = publishPorts(ports, topic.publisher);
});

/** The history of a user with this many deposits, a second apart. */
function historyOf(userId: string, length: number, ledger = ports): DecidedTransaction[] {
  return decideAt(ledger, ...Array.from({ length }, (_, index) => [index * 1000, "+1 USD", userId] as const));
}

/** The write of the decisions after one sequence number, up to another. */
function change(history: readonly DecidedTransaction[], from: number, to: number): WalletChange {
  const [before, after] = [history[from - 1]?.decision, history[to - 1]?.decision];
  const userId = history[0]?.userId ?? "";
  if (!after) throw new Error(`The history has no decision ${to}`);
  const ids = history.slice(from, to).map(({ id }) => id);
  return { recordId: `${userId} ${from}-${to}`, userId, before, after, ids };
}

/** Makes a decided transaction look as before the write, and returns what undoes that. */
function hide(transaction: DecidedTransaction | undefined, ledger = ports): () => void {
  const [key] = [...ledger.transactions].find(([, { id }]) => id === transaction?.id) ?? [];
  if (!transaction || key === undefined) throw new Error("No such transaction");
  ledger.transactions.set(key, { ...transaction, decision: undefined });
  return () => void ledger.transactions.set(key, transaction);
}

const publishAll = (...changes: readonly (WalletChange | UnreadableChange)[]) => publish(changes, publication);
const idsOf = (userId: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${userId}/${from + index}`);
const publishedOf = (userId: string) => topic.published.filter((id) => id.startsWith(`${userId}/`));

describe("the decisions of a batch of the stream", () => {
  it("are published exactly, each user's in order, at most one of each user in a call", async () => {
    const [alice, bob] = [historyOf("alice", 5), historyOf("bob", 2)];
    const failed = await publishAll(change(alice, 1, 2), change(bob, 0, 2), change(alice, 2, 4));
    expect(failed).toEqual([]);
    expect(topic.calls).toEqual([["alice/2", "bob/1"], ["alice/3", "bob/2"], ["alice/4"]]);
    expect(publication.observed.published).toEqual(topic.published);
  });

  it("of many users are published in calls of at most ten events", async () => {
    const histories = Array.from({ length: 23 }, (_, index) => historyOf(`user-${index}`, 2));
    expect(await publishAll(...histories.map((history) => change(history, 0, 2)))).toEqual([]);
    expect(topic.calls.map(({ length }) => length)).toEqual([10, 10, 3, 10, 10, 3]);
    expect(topic.published).toHaveLength(46);
  });

  it("of several users are read at once", async () => {
    const [alice, bob] = [historyOf("alice", 3), historyOf("bob", 2)];
    expect(await publishAll(change(alice, 1, 3), change(bob, 0, 2))).toEqual([]);
    expect(ports.calls).toEqual(["findTransactions alice alice bob bob"]);
  });

  it("named by two records are read once", async () => {
    const alice = historyOf("alice", 1);
    const [first, again] = [change(alice, 0, 1), { ...change(alice, 0, 1), recordId: "again" }];
    expect(await publishAll(first, again)).toEqual([]);
    expect(ports.calls).toEqual(["findTransactions alice"]);
  });

  it("are none for a write that decides nothing", async () => {
    const alice = historyOf("alice", 2);
    expect(await publishAll(change(alice, 2, 2), change(alice, 2, 1))).toEqual([]);
    expect(topic.calls).toEqual([]);
    expect(ports.calls).toEqual([]);
  });
});

describe("a decision that the table does not show yet", () => {
  it.each(["first", "middle", "last"])("fails its write and the user's later ones: the %s", async (place) => {
    const [alice, bob] = [historyOf("alice", 6), historyOf("bob", 1)];
    hide(alice[{ first: 1, middle: 2, last: 3 }[place] ?? 0]);
    const changes = [change(alice, 0, 1), change(alice, 1, 4), change(bob, 0, 1), change(alice, 4, 6)];
    expect(await publishAll(...changes)).toEqual(["alice 1-4", "alice 4-6"]);
    expect(publishedOf("alice")).toEqual(["alice/1"]);
    expect(publishedOf("bob")).toEqual(["bob/1"]);
    expect(publication.observed.failed).toEqual([
      { userId: "alice", error: expect.stringMatching(/The decision \d is not in the table/) },
    ]);
  });

  it("is missed too if another decision has its place", async () => {
    const [first, second] = historyOf("alice", 2);
    const after = { sequence: 1, decidedAt: "2026-11-23T09:30:00.000Z" };
    const record = { recordId: "record", userId: "alice", before: undefined, after };
    expect(await publishAll({ ...record, ids: [second?.id ?? ""] })).toEqual(["record"]);
    expect(topic.published).toEqual([]);
    expect(await publishAll({ ...record, ids: [first?.id ?? ""] })).toEqual([]);
  });
});

describe("an event that fails", () => {
  it("stops its user's later events, and fails its write and the later ones", async () => {
    const [alice, bob] = [historyOf("alice", 6), historyOf("bob", 4)];
    topic.failing.add("alice/3");
    const changes = [change(alice, 0, 2), change(alice, 2, 4), change(bob, 0, 4), change(alice, 4, 6)];
    expect(await publishAll(...changes)).toEqual(["alice 2-4", "alice 4-6"]);
    expect(publishedOf("alice")).toEqual(["alice/1", "alice/2"]);
    expect(publishedOf("bob")).toEqual(idsOf("bob", 1, 4));
    expect(publication.observed.failed).toEqual([
      { userId: "alice", error: "TransientError: The event alice/3 was not published" },
    ]);
  });

  it("fails if one of several publishers fails it", async () => {
    const webhooks = inMemoryPublisher();
    webhooks.failing.add("alice/2");
    publication = publishPorts(ports, topic.publisher, webhooks.publisher);
    const alice = historyOf("alice", 3);
    expect(await publishAll(change(alice, 0, 1), change(alice, 1, 3))).toEqual(["alice 1-3"]);
    expect([topic.published, webhooks.published]).toEqual([["alice/1", "alice/2"], ["alice/1"]]);
  });

  it("is reported when all publishers have answered", async () => {
    const slow = inMemoryPublisher();
    const { publish: publishSlowly } = slow.publisher;
    slow.publisher.publish = async (events) => {
      for (let ticks = 0; ticks < 20; ticks++) await Promise.resolve();
      return publishSlowly(events);
    };
    publication = publishPorts(ports, topic.publisher, slow.publisher);
    topic.inEveryCall(() => {
      throw new TransientError("throttled");
    });
    expect(await publishAll(change(historyOf("alice", 1), 0, 1))).toEqual(["alice 0-1"]);
    expect(slow.published).toEqual(["alice/1"]);
  });

  it.each([new TransientError("throttled"), new Error("a bug")])(
    "fails with its call and nothing else: %s",
    async (error) => {
      const histories = Array.from({ length: 11 }, (_, index) => historyOf(`user-${index}`, 1));
      topic.inEveryCall((ids) => {
        if (ids.length === 1) throw error;
      });
      const failed = await publishAll(...histories.map((history) => change(history, 0, 1)));
      expect([failed.length, topic.published.length]).toEqual([1, 10]);
    },
  );
});

describe("an unreadable item", () => {
  const unreadable = (userId: string) => new UnreadableItem(userId, "wallet", "sequence: Invalid input");

  it("of a history is reported, because the stream would block other users", async () => {
    const [alice, bob] = [historyOf("alice", 3), historyOf("bob", 1)];
    const changes = [change(alice, 0, 1), change(alice, 1, 2), change(bob, 0, 1), change(alice, 2, 3)];
    ports.intervene({
      operation: "findTransactions",
      at: "before",
      userId: "alice",
      times: 3,
      act: () => {
        const [first, ...alone] = ports.calls.filter((call) => call.includes("alice"));
        if ((first && alone.length === 0) || alone.length === 2) throw unreadable("alice");
      },
    });
    expect(await publishAll(...changes)).toEqual([]);
    expect(topic.published.toSorted()).toEqual(["alice/1", "bob/1"]);
    expect(publication.observed).toMatchObject({
      reported: [{ userId: "alice", from: 2, problem: unreadable("alice").message }],
      failed: [{ userId: "alice", error: String(unreadable("alice")) }],
    });
  });

  it("in the stream is reported without a sequence number", async () => {
    const [alice, bob] = [historyOf("alice", 3), historyOf("bob", 1)];
    const changes = [
      change(alice, 0, 1),
      { recordId: "unreadable", userId: "alice", unreadable: unreadable("alice") },
      change(bob, 0, 1),
      change(alice, 2, 3),
    ];
    expect(await publishAll(...changes)).toEqual([]);
    expect(topic.published.toSorted()).toEqual(["alice/1", "bob/1"]);
    expect(publication.observed.reported).toMatchObject([{ userId: "alice", from: undefined }]);
  });

  it("that can't be reported fails its records", async () => {
    const alice = historyOf("alice", 1);
    ports.fail("findTransactions", "before", { error: unreadable("alice"), times: 2 });
    publication = {
      ...publication,
      failures: { send: () => Promise.reject(new TransientError("no answer")) },
    };
    expect(await publishAll(change(alice, 0, 1))).toEqual(["alice 0-1"]);
  });

  it("is not reported while the stream delivers its record again because of an earlier one", async () => {
    const [alice, bob] = [historyOf("alice", 1), historyOf("bob", 1)];
    const broken = { recordId: "unreadable", userId: "alice", unreadable: unreadable("alice") };
    topic.failing.add("bob/1");
    expect((await publishAll(change(bob, 0, 1), change(alice, 0, 1), broken)).toSorted()).toEqual([
      "bob 0-1",
      "unreadable",
    ]);
    expect(publication.observed.reported).toEqual([]);
    expect(await publishAll(change(alice, 0, 1), broken, change(bob, 0, 1))).toEqual(["bob 0-1"]);
    expect(publication.observed.reported).toHaveLength(1);
  });

  it("does not end the retries of an event before it", async () => {
    const alice = historyOf("alice", 2);
    topic.failing.add("alice/1");
    const changes = [change(alice, 0, 1), { recordId: "unreadable", userId: "alice", unreadable: unreadable("alice") }];
    expect(await publishAll(...changes)).toEqual(["alice 0-1", "unreadable"]);
    expect(publication.observed.reported).toEqual([]);
  });
});

describe("the time budget", () => {
  it("ends a batch, and what is published counts", async () => {
    const [alice, bob] = [historyOf("alice", 5), historyOf("bob", 1)];
    topic.inEveryCall(() => ports.clock.advance(9000));
    const failed = await publishAll(change(alice, 0, 2), change(alice, 2, 4), change(bob, 0, 1), change(alice, 4, 5));
    expect(failed).toEqual(["alice 2-4", "alice 4-5"]);
    expect(topic.published).toEqual(["alice/1", "bob/1", "alice/2", "alice/3"]);
    expect(publication.observed.failed).toEqual([{ userId: "alice", error: "TransientError: No time left" }]);
  });

  it("ends the reads too", async () => {
    const alice = historyOf("alice", 400);
    ports.setLatency(9000);
    const failed = await publishAll(...[0, 100, 200, 300].map((from) => change(alice, from, from + 100)));
    expect(failed).toEqual(["alice 0-100", "alice 100-200", "alice 200-300", "alice 300-400"]);
    expect(ports.calls).toHaveLength(3);
  });
});

it("publishes everything in order in the end, whatever fails on the way", async () => {
  const plan = fc.record({
    writes: fc.array(
      fc.record({ user: fc.constantFrom("alice", "bob", "carol"), decisions: fc.integer({ min: 1, max: 4 }) }),
      {
        maxLength: 12,
      },
    ),
    failures: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }),
    hidden: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ writes, failures, hidden }) => {
      const ledger = inMemoryPorts();
      const sns = inMemoryPublisher();
      const histories = new Map(
        ["alice", "bob", "carol"].map((user) => {
          const length = writes.reduce((sum, write) => sum + (write.user === user ? write.decisions : 0), 0);
          return [user, historyOf(user, length, ledger)];
        }),
      );
      const ends = new Map<string, number>();
      let records = writes.map(({ user, decisions }) => {
        const from = ends.get(user) ?? 0;
        ends.set(user, from + decisions);
        return change(histories.get(user) ?? [], from, from + decisions);
      });
      const all = [...histories.values()].flat();
      const shown = [...new Set(hidden)]
        .flatMap((index) => all.slice(index, index + 1))
        .map((each) => hide(each, ledger));
      let call = 0;
      sns.inEveryCall((ids) => {
        sns.failing.clear();
        if (!failures.includes(call++)) return;
        for (const id of ids.slice(0, 1)) sns.failing.add(id);
        if (call % 3 === 0) throw new TransientError("no answer");
      });
      // As Lambda does: from the lowest failed record on.
      for (let attempts = 0; records.length > 0; attempts++) {
        expect(attempts).toBeLessThan(50);
        const failed = await publish(records, publishPorts(ledger, sns.publisher));
        const first = records.findIndex(({ recordId }) => failed.includes(recordId));
        records = first < 0 ? [] : records.slice(first);
        if (attempts > 2) for (const show of shown) show();
      }
      for (const [user, history] of histories) {
        const published = sns.published.filter((id) => id.startsWith(`${user}/`));
        expect([...new Set(published)]).toEqual(idsOf(user, 1, history.length));
      }
    }),
    { numRuns: 200 },
  );
});
