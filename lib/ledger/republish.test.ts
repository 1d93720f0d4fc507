import { beforeEach, describe, expect, it } from "vitest";
import { decideAt, ledgerReaderOf, timeAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { inMemoryPublisher, publishPorts } from "../../testkit/publisher.ts";
import type { Wallet } from "../domain/state.ts";
import { TransientError, UnreadableItem } from "./ports.ts";
import {
  type PublishFailure,
  type PublishFailureQueue,
  republishFailures,
  republishRange,
  republishSince,
} from "./republish.ts";

let ledger: InMemoryPorts;
let topic: ReturnType<typeof inMemoryPublisher>;
beforeEach(() => {
  ledger = inMemoryPorts();
  topic = inMemoryPublisher();
});

const ports = () => ({ ...publishPorts(ledger, topic.publisher), store: ledger.store });
const idsOf = (userId: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${userId}/${from + index}`);

/** Deposits of a user, a second apart. */
function historyOf(userId: string, length: number): Wallet {
  decideAt(ledger, ...Array.from({ length }, (_, index) => [index * 1000, "+1 USD", userId] as const));
  const wallet = ledger.wallets.get(userId);
  if (!wallet) throw new Error("No wallet");
  return wallet;
}

describe("a range of a user's decisions", () => {
  it("is published in order, whatever its length", async () => {
    const wallet = historyOf("alice", 350);
    expect(await republishRange("alice", { from: 20, to: 340 }, wallet, ports())).toEqual({
      events: 321,
      users: 1,
      failures: [],
    });
    expect(topic.published).toEqual(idsOf("alice", 20, 340));
  });

  it("ends at an event that fails", async () => {
    const wallet = historyOf("alice", 350);
    topic.failing.add("alice/150");
    const { events, failures } = await republishRange("alice", { from: 1, to: 350 }, wallet, ports());
    expect(topic.published).toEqual(idsOf("alice", 1, 149));
    expect([events, failures]).toEqual([149, [{ userId: "alice", error: expect.any(TransientError) }]]);
  });

  it("ends before an unreadable item", async () => {
    const wallet = historyOf("alice", 3);
    const error = new UnreadableItem("alice", "transaction tx_1", "type: Invalid input");
    ledger.fail("readHistory", "before", { error });
    expect(await republishRange("alice", { from: 1, to: 3 }, wallet, ports())).toEqual({
      events: 0,
      users: 0,
      failures: [{ userId: "alice", error }],
    });
  });

  it("whose start the index lacks fails", async () => {
    const wallet = historyOf("alice", 3);
    const [first] = ledger.transactions.values();
    ledger.hiddenIds.add(first?.id ?? "");
    const { failures } = await republishRange("alice", { from: 2, to: 3 }, wallet, ports());
    expect(failures).toMatchObject([
      { userId: "alice", error: new TransientError("The history lacks the decision 1") },
    ]);
  });
});

describe("all decisions since a time", () => {
  it("are those of every user at that time or later", async () => {
    for (const [userId, length] of [
      ["alice", 4],
      ["bob", 2],
      ["carol", 3],
    ] as const)
      historyOf(userId, length);
    topic.failing.add("alice/4");
    const republished = await republishSince(timeAt(2000), ledgerReaderOf(ledger).wallets(), ports());
    expect(republished).toMatchObject({ events: 2, users: 2, failures: [{ userId: "alice" }] });
    expect(topic.published.toSorted()).toEqual(["alice/3", "carol/3"]);
  });
});

describe("a message of the failure queue", () => {
  const message = (content: PublishFailure["content"]): PublishFailure => ({
    messageId: "message",
    sentAt: new Date(0),
    content,
  });

  /** A queue in memory, and what became of its messages. */
  function queueOf(...messages: PublishFailure[]) {
    const log: string[] = [];
    const waiting = [...messages];
    const queue: PublishFailureQueue = {
      receive: async () => waiting.splice(0),
      release: async (kept) => void log.push(`released ${kept.length}`),
      remove: async () => void log.push("removed"),
      changesOf: async () => undefined,
    };
    return { queue, log };
  }

  const ofAlice = (from: number | undefined) => message({ userId: "alice", from, problem: "unreadable" });

  it("is removed once its decisions, and all that follow, are published", async () => {
    historyOf("alice", 5);
    const { queue, log } = queueOf(ofAlice(3));
    await republishFailures(queue, false, ports(), () => log.push("reported"));
    expect(topic.published).toEqual(idsOf("alice", 3, 5));
    expect(log).toEqual(["removed", "reported", "released 0"]);
  });

  it.each([
    ["an event fails", ofAlice(3), false],
    ["it does not say where they begin", ofAlice(undefined), false],
    ["its user has no wallet", message({ userId: "bob", from: 1, problem: "unreadable" }), false],
    [
      "the stream does not have its records any more",
      message({ batch: "shard", problem: "", arrivedAt: undefined }),
      false,
    ],
    ["it is not known", message(undefined), false],
    ["it is a dry run", ofAlice(5), true],
  ])("stays in the queue if %s", async (_why, kept, isDryRun) => {
    historyOf("alice", 5);
    topic.failing.add("alice/4");
    const { queue, log } = queueOf(kept);
    await republishFailures(queue, isDryRun, ports(), () => log.push("reported"));
    expect(log).toEqual(["reported", "released 1"]);
  });
});
