import { beforeEach, describe, expect, it } from "vitest";
import { timeAt } from "../../testkit/histories.ts";
import { consumeSent, type InMemoryPorts, inMemoryPorts, submissionWith } from "../../testkit/inMemoryPorts.ts";
import { usd } from "../../testkit/movements.ts";
import { userIdOf } from "./message.ts";
import { type LedgerStore, TransientError, UnreadableItem } from "./ports.ts";
import { type Request, type Submission, type SubmitPorts, submissionId } from "./submit.ts";
import { submitBatch } from "./submitBatch.ts";

let ports: InMemoryPorts;
let keys: number;
beforeEach(() => {
  ports = inMemoryPorts();
  keys = 0;
});

/** A deposit of 1.00 under a key of its own, unless something is changed. */
function of(userId: string, change: Partial<Submission> = {}): Submission {
  const request: Request = { type: "deposit", ...usd("1.00") };
  return { ...submissionWith({ userId, idempotencyKey: `key-${++keys}` }), actor: "admin", request, ...change };
}

/** What became of each submission: accepted, replayed, the problem, or the name of the error. */
async function submitted(batch: readonly Submission[], by: SubmitPorts = ports): Promise<string[]> {
  const results = await submitBatch(batch, by);
  return batch.map((submission) => {
    const result = results.get(submission);
    if (!result) return "none";
    if (result instanceof Error) return result.name;
    return result.accepted ? (result.replayed ? "replayed" : "accepted") : result.problem;
  });
}

/** What is in the queue: for each message the user, and which of the submissions its commands are. */
function sent(batch: readonly Submission[]): (readonly [string, ...number[]])[] {
  const ids = batch.map(submissionId);
  return ports.sent.map((message) => [userIdOf(message), ...message.commands.map(({ id }) => ids.indexOf(id))]);
}

const stored = (submission: Submission) =>
  ports.transactions.get(JSON.stringify([submission.userId, submissionId(submission)]));

describe("a batch", () => {
  it("is stored, and sent as one message for each user with the user's commands in order", async () => {
    const batch = ["alice", "bob", "alice", "carol", "alice", "bob"].map((userId) => of(userId));

    expect(await submitted(batch)).toEqual(Array(6).fill("accepted"));
    expect(sent(batch)).toEqual([
      ["alice", 0, 2, 4],
      ["bob", 1, 5],
      ["carol", 3],
    ]);
    expect(ports.sent.map(({ requestId }) => requestId)).toEqual(Array(3).fill("request-1"));
    await consumeSent(ports);
    expect(batch.map((each) => stored(each)?.decision?.sequence)).toEqual([1, 1, 2, 1, 3, 2]);
  });

  it("has times of acceptance that increase strictly for each user", async () => {
    const batch = ["alice", "bob", "alice", "alice", "bob"].map((userId) => of(userId));
    await submitBatch(batch, ports);
    expect(batch.map((each) => stored(each)?.createdAt)).toEqual([0, 0, 1, 2, 1].map(timeAt));
  });

  it("of 100 commands takes one call of the store and one of the queue", async () => {
    const batch = Array.from({ length: 100 }, (_, index) => of(`user-${index % 3}`));
    const puts: number[] = [];
    const putAllPending: LedgerStore["putAllPending"] = (transactions) => {
      puts.push(transactions.length);
      return ports.store.putAllPending(transactions);
    };
    const results = await submitBatch(batch, { ...ports, store: { ...ports.store, putAllPending } });
    expect([...results.values()]).toEqual(Array(100).fill(expect.objectContaining({ accepted: true })));
    expect(puts).toEqual([100]);
    expect(ports.sent.map(({ commands }) => commands.length)).toEqual([34, 33, 33]);
  });

  it("without commands does nothing", async () => {
    expect(await submitBatch([], ports)).toEqual(new Map());
    expect(ports.calls).toEqual([]);
  });

  it("has independent results: what is refused is not sent, and blocks nothing", async () => {
    const batch = [
      of("alice"),
      of("alice", { request: { type: "deposit", currency: "XXX", amount: "1" } }),
      of("alice", { request: { type: "withdrawal", ...usd("-1") } }),
      of("alice", { request: { type: "transfer", ...usd("1.00"), to: "nobody" } }),
      of("alice"),
    ];
    expect(await submitted(batch)).toEqual([
      "accepted",
      "unknown_currency",
      "amount_invalid",
      "unknown_receiver",
      "accepted",
    ]);
    expect(sent(batch)).toEqual([["alice", 0, 4]]);
    expect(ports.transactions.size).toBe(2);
  });
});

describe("a batch that is repeated", () => {
  it("is answered with the stored transactions, and sends only what is undecided", async () => {
    const batch = [of("alice"), of("bob"), of("alice")];
    await submitBatch(batch, ports);
    ports.sent.length = 0;
    expect(await submitted(batch)).toEqual(Array(3).fill("replayed"));
    expect(sent(batch)).toEqual([
      ["alice", 0, 2],
      ["bob", 1],
    ]);
    await consumeSent(ports);

    const more = [batch[0], of("alice"), batch[1]].flatMap((each) => each ?? []);
    expect(await submitted(more)).toEqual(["replayed", "accepted", "replayed"]);
    expect(sent(more)).toEqual([["alice", 1]]);
    await consumeSent(ports);
    expect(ports.wallets.get("alice")).toMatchObject({ sequence: 3, available: new Map([["USD", 300n]]) });
  });

  it("with another content under one of its keys has that one refused", async () => {
    const [first, second] = [of("alice"), of("alice")];
    await submitBatch([first, second], ports);
    const batch = [{ ...first, request: { type: "deposit", ...usd("2.00") } } as const, second];
    expect(await submitted(batch)).toEqual(["idempotency_key_reused", "replayed"]);
  });

  it.each([
    ["the same content: accepted once, replayed once", "1.00", ["accepted", "replayed", "accepted"]],
    ["other content: the first one is accepted", "2.00", ["accepted", "idempotency_key_reused", "accepted"]],
  ])("has the same key twice with %s", async (_what, amount, results) => {
    const first = of("alice");
    const batch = [first, { ...first, request: { type: "deposit", ...usd(amount) } } as const, of("alice")];

    expect(await submitted(batch)).toEqual(results);
    expect(ports.sent.map(({ commands }) => commands.length)).toEqual([2]);
    await consumeSent(ports);
    expect(ports.wallets.get("alice")).toMatchObject({ sequence: 2, available: new Map([["USD", 200n]]) });
  });

  it("fails every command of a key whose first put failed, so that none takes the place of the first", async () => {
    const first = of("alice");
    const other = { ...first, request: { type: "deposit", ...usd("2.00") } } satisfies Submission;
    ports.fail("putAllPending", "before");
    expect(await submitted([first, other])).toEqual(["TransientError", "TransientError"]);
    expect(stored(first)).toBeUndefined();
    expect(await submitted([first, other])).toEqual(["accepted", "idempotency_key_reused"]);
  });

  it("has the same key of two users apart", async () => {
    const batch = ["alice", "bob"].map((userId) => of(userId, { idempotencyKey: "same" }));
    expect(await submitted(batch)).toEqual(["accepted", "accepted"]);
  });
});

/** The ports with a put that fails for one submission, before its effect or after it. */
function failingPut(failing: Submission | undefined, at: "before" | "after", error: Error): SubmitPorts {
  const id = failing && submissionId(failing);
  const putAllPending: LedgerStore["putAllPending"] = async (transactions) => {
    const put = transactions.filter((transaction) => at === "after" || transaction.id !== id);
    const results = new Map(await ports.store.putAllPending(put));
    return id && transactions.some((transaction) => transaction.id === id) ? results.set(id, error) : results;
  };
  return { ...ports, store: { ...ports.store, putAllPending } };
}

describe("a command whose put fails", () => {
  const users = ["alice", "bob", "alice", "alice", "bob"];
  const error = new TransientError("no connection");

  it.each(["before", "after"] as const)(
    "%s its effect keeps the user's later commands out of the queue, and no other; the repeated batch completes them",
    async (at) => {
      const batch = users.map((userId) => of(userId));

      expect(await submitted(batch, failingPut(batch[2], at, error))).toEqual([
        "accepted",
        "accepted",
        "TransientError",
        "TransientError",
        "accepted",
      ]);
      expect(sent(batch)).toEqual([
        ["alice", 0],
        ["bob", 1, 4],
      ]);
      await consumeSent(ports);

      const isStored = at === "after" ? "replayed" : "accepted";
      expect(await submitted(batch)).toEqual(["replayed", "replayed", isStored, "replayed", "replayed"]);
      expect(sent(batch)).toEqual([["alice", 2, 3]]);
      await consumeSent(ports);
      expect(batch.map((each) => stored(each)?.decision?.sequence)).toEqual([1, 1, 2, 3, 2]);
    },
  );

  it.each([
    ["an unreadable item", new UnreadableItem("alice", "transaction", "it has no type"), "UnreadableItem"],
    ["a bug", new TypeError("bug"), "TypeError"],
  ])("because of %s keeps no other user's commands out of the queue", async (_what, cause, name) => {
    const batch = users.map((userId) => of(userId));
    expect(await submitted(batch, failingPut(batch[0], "before", cause))).toEqual([
      name,
      "accepted",
      "TransientError",
      "TransientError",
      "accepted",
    ]);
    expect(sent(batch)).toEqual([["bob", 1, 4]]);
  });

  it("keeps no refusal from the user's other commands, and no decided command from its answer", async () => {
    const decided = of("alice");
    await submitBatch([decided], ports);
    await consumeSent(ports);
    const refused = of("alice", { request: { type: "deposit", currency: "XXX", amount: "1" } });
    const batch = [of("alice"), decided, refused];
    expect(await submitted(batch, failingPut(batch[0], "before", error))).toEqual([
      "TransientError",
      "replayed",
      "unknown_currency",
    ]);
  });
});

describe("a queue that fails", () => {
  it.each(["before", "after"] as const)(
    "in part, %s the effect, has only these commands reported; the repeated batch completes them",
    async (at) => {
      const batch = ["alice", "bob", "alice", "carol"].map((userId) => of(userId));
      ports.fail("send", at, { userId: "alice" });

      expect(await submitted(batch)).toEqual(["TransientError", "accepted", "TransientError", "accepted"]);
      await consumeSent(ports);
      expect(await submitted(batch)).toEqual(Array(4).fill("replayed"));
      expect(sent(batch)).toEqual(at === "after" ? [] : [["alice", 0, 2]]);
      await consumeSent(ports);
      expect(batch.map((each) => stored(each)?.decision?.sequence)).toEqual([1, 1, 2, 1]);
    },
  );

  it("as a whole has every undecided command reported, and nothing else", async () => {
    const decided = of("alice");
    await submitBatch([decided], ports);
    await consumeSent(ports);
    const refused = of("alice", { request: { type: "deposit", currency: "XXX", amount: "1" } });
    const fresh = of("alice");
    ports.fail("send", "before", { times: 9 });

    expect(await submitted([decided, refused, fresh, fresh, of("bob")])).toEqual([
      "replayed",
      "unknown_currency",
      "TransientError",
      "TransientError",
      "TransientError",
    ]);
  });
});
