import { beforeEach, describe, expect, it } from "vitest";
import { consumeSent, type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { emittedOf, holdOf, movementsInMemory, usd } from "../../testkit/movements.ts";
import { derivedId } from "../domain/id.ts";
import { type TransactionKey, TransientError } from "./ports.ts";
import { sweep } from "./sweep.ts";

let ports: InMemoryPorts;
let movements: ReturnType<typeof movementsInMemory>;
beforeEach(async () => {
  ports = inMemoryPorts();
  movements = movementsInMemory(ports);
  for (const userId of ["alice", "bob", "carol"]) await movements.move(userId, { type: "deposit", ...usd("10.00") });
});

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const NOTHING = { credits: 0, expiries: 0, oldestCreditSeconds: 0, oldestExpirySeconds: 0, failures: [] };
const availableOf = (userId: string) => ports.wallets.get(userId)?.available.get("USD") ?? 0n;
const sentIds = () => ports.sent.flatMap(({ commands }) => commands.map(({ id }) => id));

/** A sweep with an index that lists these transactions, as one that lags behind their decisions. */
function sweepOf(...keys: readonly TransactionKey[]) {
  async function* dueBefore() {
    yield* keys;
  }
  return sweep({ ...ports, due: { ...ports.due, dueBefore } });
}

/** Alice's transfer of 1.00, decided now, whose credit is not sent. */
async function unsentCredit(to = "bob"): Promise<TransactionKey> {
  const { userId, id } = await movements.accept("alice", { type: "transfer", ...usd("1.00"), to });
  await consumeSent(ports);
  ports.sent.length = 0;
  return emittedOf(await movements.decided(userId, id));
}

/** Alice's hold of 4.00 that ends in an hour. */
async function openHold(change: { readonly to?: string } = {}) {
  const expiresAt = new Date(ports.clock.now().getTime() + HOUR_MS).toISOString();
  return holdOf(await movements.move("alice", { type: "hold", ...usd("4.00"), expiresAt, ...change }));
}

const expiriesOf = (holdId: string) =>
  [...ports.transactions.values()].filter((each) => each.type === "expiry" && each.refersTo === holdId);

it("sends nothing if nothing is due", async () => {
  await movements.move("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
  await openHold();
  await movements.accept("alice", { type: "deposit", ...usd("1.00") });
  ports.sent.length = 0;
  ports.clock.advance(2 * MINUTE_MS);
  expect(await sweep(ports)).toEqual(NOTHING);
  expect(ports.sent).toEqual([]);
});

describe("an undecided credit", () => {
  it("is sent again once it is older than a minute, and not before", async () => {
    const { id } = await unsentCredit();
    ports.clock.advance(MINUTE_MS);
    expect(await sweep(ports)).toEqual(NOTHING);
    expect(ports.sent).toEqual([]);

    ports.clock.advance(1);
    expect(await sweep(ports)).toEqual({ ...NOTHING, credits: 1, oldestCreditSeconds: 60.001 });
    expect(sentIds()).toEqual([id]);
    await consumeSent(ports);
    expect(availableOf("bob")).toBe(1100n);
  });

  it("is sent again after pauses that grow from one minute to five, until it is decided", async () => {
    await unsentCredit();
    const sentAtSeconds: number[] = [];
    for (let second = 1; second <= 1800; second++) {
      ports.clock.advance(1000);
      if ((await sweep(ports)).credits > 0) sentAtSeconds.push(second);
    }
    const pauses = sentAtSeconds.slice(1).map((second, index) => second - (sentAtSeconds[index] ?? 0));
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect([pauses[0], pauses.at(-1)]).toEqual([61, 301]);
    expect(new Set(pauses).size).toBeGreaterThan(4);

    await consumeSent(ports);
    expect(availableOf("bob")).toBe(1100n);
    ports.clock.advance(HOUR_MS);
    expect(await sweep(ports)).toEqual(NOTHING);
  });

  it("is sent again if it is the return of a rejected one", async () => {
    const credit = await unsentCredit();
    const bob = ports.wallets.get("bob");
    if (bob) ports.wallets.set("bob", { ...bob, status: "closed" });
    ports.clock.advance(MINUTE_MS + 1);
    await sweep(ports);
    await consumeSent(ports);
    ports.sent.length = 0;
    expect(availableOf("alice")).toBe(900n);

    ports.clock.advance(MINUTE_MS + 1);
    expect(await sweep(ports)).toMatchObject({ credits: 1 });
    expect(sentIds()).toEqual([derivedId("return", credit.userId, credit.id)]);
    await consumeSent(ports);
    expect(availableOf("alice")).toBe(1000n);
  });

  it("reports the age of the oldest", async () => {
    await unsentCredit();
    ports.clock.advance(MINUTE_MS);
    await unsentCredit("carol");
    ports.clock.advance(2 * MINUTE_MS);
    expect(await sweep(ports)).toEqual({ ...NOTHING, credits: 2, oldestCreditSeconds: 180 });
  });

  it("counts for the age also if it can't be sent", async () => {
    await unsentCredit();
    ports.clock.advance(6 * MINUTE_MS);
    ports.fail("send", "before");
    expect(await sweep(ports)).toMatchObject({ credits: 0, oldestCreditSeconds: 360, failures: [{}] });
  });

  it("is sent by one of two sweeps or by both, and credited once", async () => {
    await unsentCredit();
    ports.clock.advance(2 * MINUTE_MS);
    await Promise.all([sweep(ports), sweep(ports)]);
    await consumeSent(ports);
    expect(availableOf("bob")).toBe(1100n);
  });
});

describe("a hold", () => {
  it("ends by an expiry of the ledger's, which is sent from a minute after its time on and not before", async () => {
    const { id } = await openHold();
    ports.clock.advance(HOUR_MS + MINUTE_MS);
    expect(await sweep(ports)).toEqual(NOTHING);
    expect(expiriesOf(id)).toEqual([]);

    ports.clock.advance(1);
    expect(await sweep(ports)).toEqual({ ...NOTHING, expiries: 1, oldestExpirySeconds: 60.001 });
    expect(expiriesOf(id)).toMatchObject([
      {
        id: derivedId("expiry", "alice", id),
        userId: "alice",
        actor: "ledger",
        createdAt: ports.clock.now().toISOString(),
        currency: "USD",
        exponent: 2,
      },
    ]);
    await consumeSent(ports);
    expect(await movements.decided("alice", id)).toMatchObject({
      remainder: { holdStatus: "expired", remainingMinor: 0n },
    });
    expect(ports.wallets.get("alice")).toMatchObject({ available: new Map([["USD", 1000n]]), held: new Map() });
  });

  it("has one expiry, however often sweeps send it", async () => {
    const { id } = await openHold({ to: "bob" });
    ports.clock.advance(2 * HOUR_MS);
    await Promise.all([sweep(ports), sweep(ports)]);
    for (let minute = 1; minute <= 30; minute++) {
      ports.clock.advance(MINUTE_MS);
      await sweep(ports);
    }
    expect(ports.sent.length).toBeGreaterThan(5);
    expect(new Set(sentIds()).size).toBe(1);
    await consumeSent(ports);
    expect(expiriesOf(id)).toHaveLength(1);
    expect(ports.wallets.get("alice")).toMatchObject({ sequence: 3, held: new Map() });
    expect(await sweep(ports)).toEqual(NOTHING);
  });

  it("of which a part was captured frees the rest", async () => {
    const hold = await openHold();
    await movements.move("alice", { type: "capture", referred: hold, amount: "1.00", final: false });
    ports.clock.advance(2 * HOUR_MS);
    await sweep(ports);
    await consumeSent(ports);
    expect(ports.wallets.get("alice")).toMatchObject({ available: new Map([["USD", 900n]]), held: new Map() });
  });

  it("that was captured or released has no expiry", async () => {
    const [captured, released] = [await openHold(), await openHold()];
    await movements.move("alice", { type: "capture", referred: captured, final: true });
    await movements.move("alice", { type: "release", referred: released });
    ports.clock.advance(2 * HOUR_MS);
    expect(await sweep(ports)).toEqual(NOTHING);
    expect([...expiriesOf(captured.id), ...expiriesOf(released.id)]).toEqual([]);
  });

  it("gets the expiry that an earlier sweep stored and could not send, as it was stored", async () => {
    const { id } = await openHold();
    ports.clock.advance(2 * HOUR_MS);
    ports.fail("send", "before");
    expect(await sweep(ports)).toMatchObject({ expiries: 0, failures: [{ userId: "alice", id }] });
    const stored = expiriesOf(id);
    ports.clock.advance(1000);
    expect(await sweep(ports)).toMatchObject({ expiries: 1, failures: [] });
    expect(expiriesOf(id)).toEqual(stored);
    expect(ports.sent).toMatchObject([{ commands: [{ createdAt: stored[0]?.createdAt }] }]);
  });
});

it("an expiry that could not be sent before its hold was captured is sent all the same, and rejected", async () => {
  const hold = await openHold();
  ports.clock.advance(HOUR_MS - 1);
  await movements.accept("alice", { type: "capture", referred: hold, final: true });
  const captures = ports.sent.splice(0);
  ports.clock.advance(MINUTE_MS + 2);
  ports.fail("send", "before");
  await sweep(ports);
  ports.sent.push(...captures);
  await consumeSent(ports);

  ports.clock.advance(MINUTE_MS + 1);
  expect(await sweep(ports)).toMatchObject({ expiries: 1, failures: [] });
  await consumeSent(ports);
  const [expiry] = expiriesOf(hold.id);
  expect(expiry?.decision?.outcome).toEqual({ status: "rejected", code: "hold_closed" });
  ports.clock.advance(HOUR_MS);
  expect(await sweep(ports)).toEqual(NOTHING);
});

describe("what the index lists although it is not due any more", () => {
  it("is neither sent nor postponed: a decided credit, a closed hold, what does not exist", async () => {
    const transfer = await movements.move("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
    const hold = await openHold();
    await movements.move("alice", { type: "release", referred: hold });
    const credit = emittedOf(transfer);
    ports.calls.length = 0;
    expect(await sweepOf(credit, hold, { userId: "alice", id: "tx_unknown" })).toEqual(NOTHING);
    expect(ports.calls.filter((call) => !call.startsWith("findTransaction"))).toEqual([]);
    expect(expiriesOf(hold.id)).toEqual([]);
  });

  it("is not sent: a hold that is still pending, and a transaction of another type", async () => {
    const hold = await movements.accept("alice", { type: "hold", ...usd("1.00") });
    const deposit = await movements.accept("alice", { type: "deposit", ...usd("1.00") });
    ports.sent.length = 0;
    expect(await sweepOf(hold, deposit)).toEqual(NOTHING);
    expect(ports.sent).toEqual([]);
  });
});

describe("a failure", () => {
  it.each(["findTransaction", "send", "postpone"] as const)(
    "of %s leaves the transaction due, and does not stop the others",
    async (operation) => {
      const ofBob = await unsentCredit("bob");
      const ofCarol = await unsentCredit("carol");
      const hold = await openHold();
      ports.clock.advance(2 * HOUR_MS);
      ports.fail(operation, "before", { userId: "bob" });

      const { userId, id } = ofBob;
      expect(await sweep(ports)).toMatchObject({
        credits: 1,
        expiries: 1,
        failures: [{ userId, id, error: new TransientError(`${operation} failed`) }],
      });
      expect(sentIds()).toEqual(expect.arrayContaining([ofCarol.id, ...expiriesOf(hold.id).map((each) => each.id)]));
      expect(await sweep(ports)).toMatchObject({ credits: 1, expiries: 0, failures: [] });
      await consumeSent(ports);
      expect([availableOf("bob"), availableOf("carol"), availableOf("alice")]).toEqual([1100n, 1100n, 800n]);
    },
  );
});
