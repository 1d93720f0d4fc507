import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { decideAt, timeAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { momentAfter, momentBefore, readAsOf } from "./past.ts";
import { TransientError } from "./ports.ts";

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

const HOUR_MS = 3_600_000;

/** Sequence number and dollars as of a moment, and whether the answer is final. */
async function readAt(milliseconds: number) {
  const { wallet, isFinal } = await readAsOf("alice", timeAt(milliseconds), ports);
  return [wallet.sequence, wallet.available.get("USD") ?? 0n, isFinal];
}

describe("a wallet as of a moment", () => {
  it.each([
    ["before the first decision", 999, [0, 0n, true]],
    ["at the time of the first decision", 1000, [1, 5n, true]],
    ["1 ms before the second", 1999, [1, 5n, true]],
    ["at the time of the second and third", 2000, [3, 4n, true]],
    ["1 ms after these", 2001, [3, 4n, true]],
    ["1 ms before the last, a rejection", 2999, [3, 4n, true]],
    ["at the time of the last", 3000, [4, 4n, true]],
    ["long after the last", 1_000_000, [4, 4n, true]],
  ])("%s is that after the newest decision until then", async (_which, milliseconds, expected) => {
    decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"], [2000, "-3 USD"], [3000, "-9 USD"]);
    ports.clock.advance(HOUR_MS);
    expect(await readAt(milliseconds)).toEqual(expected);
  });

  it("has the status, the time, the hash and all balances of that decision", async () => {
    const [first] = decideAt(ports, [1000, "+5 USD"], [2000, "+2 EUR"]);
    const { wallet } = await readAsOf("alice", timeAt(1999), ports);
    const { sequence, available, held, decidedAt, hash } = first?.decision ?? {};
    expect(wallet).toEqual({ status: "active", sequence, available, held, decidedAt, hash });
  });

  it("of a user without a wallet is empty", async () => {
    expect(await readAt(0)).toEqual([0, 0n, false]);
  });

  it("is read without the index from its last decision on", async () => {
    decideAt(ports, [1000, "+5 USD"]);
    await readAt(1000);
    expect(ports.calls).toEqual(["readWallet alice"]);
  });

  it("is read with one query of the index if only the last decision is later", async () => {
    decideAt(ports, [1000, "+5 USD"], [2000, "+5 USD"]);
    await readAt(1000);
    expect(ports.calls).toEqual(["readWallet alice", "readHistory alice"]);
  });

  it("is not that of another user", async () => {
    decideAt(ports, [1000, "+5 USD"]);
    expect((await readAsOf("bob", timeAt(1000), ports)).wallet.sequence).toBe(0);
  });
});

describe("an answer about a moment after the last decision", () => {
  it.each([
    [29_999, false],
    [30_000, true],
    [30_001, true],
  ])("%i ms after the moment is final: %s", async (elapsedMs, isFinal) => {
    decideAt(ports, [0, "+5 USD"]);
    ports.clock.advance(elapsedMs);
    expect(await readAt(0)).toEqual([1, 5n, isFinal]);
  });

  it("is final at once if there is a later decision", async () => {
    decideAt(ports, [0, "+5 USD"], [1, "+5 USD"]);
    expect(await readAt(0)).toEqual([1, 5n, true]);
  });

  it("is as old as when its wallet was read, even if that takes long", async () => {
    ports.setLatency(1);
    ports.clock.advance(29_999);
    expect(await readAt(0)).toEqual([0, 0n, false]);
  });
});

it("a final answer never changes, whatever is decided later and however late it is written", async () => {
  const steps = fc.array(
    fc.record({
      gapMs: fc.constantFrom(0, 1, 2, 29_998, 29_999, 30_000),
      // A write can arrive so long after the time of its decision.
      writtenAfterMs: fc.constantFrom(0, 1, 29_999),
    }),
    { minLength: 1, maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const own = inMemoryPorts();
      const final = new Map<string, number>();
      let [nowMs, lastMs] = [0, 0];
      for (const { gapMs, writtenAfterMs } of history) {
        nowMs += gapMs;
        own.clock.advance(gapMs);
        lastMs = Math.max(lastMs, nowMs - writtenAfterMs);
        decideAt(own, [lastMs, "+1 USD"]);
        const moments = [nowMs, lastMs, lastMs - 1, nowMs - 30_000, nowMs - 29_999].map(timeAt);
        for (const at of [...final.keys(), ...moments]) {
          const { wallet, isFinal } = await readAsOf("alice", at, own);
          if (final.has(at)) expect([wallet.sequence, isFinal]).toEqual([final.get(at), true]);
          if (isFinal) final.set(at, wallet.sequence);
        }
      }
    }),
    { numRuns: 300 },
  );
});

describe("an index that lags", () => {
  it.each([
    ["the decision that the answer is", [1]],
    ["the decision after it", [2]],
    ["these two", [1, 2]],
    ["all decisions", [0, 1, 2, 3]],
  ])("by %s is never believed: it is read again with growing pauses, up to five times", async (_what, hidden) => {
    const history = decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"], [3000, "+1 USD"], [4000, "+1 USD"]);
    for (const index of hidden) ports.hiddenIds.add(history[index]?.id ?? "");
    await expect(readAt(2500)).rejects.toBeInstanceOf(TransientError);
    expect(ports.clock.sleeps).toEqual([50, 100, 200, 400]);
  });

  it("by a decision that is neither is no obstacle", async () => {
    const history = decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"], [3000, "+1 USD"], [4000, "+1 USD"]);
    for (const index of [0, 3]) ports.hiddenIds.add(history[index]?.id ?? "");
    expect(await readAt(2500)).toEqual([2, 7n, true]);
  });

  it("is believed as soon as it has caught up", async () => {
    const history = decideAt(ports, [1000, "+5 USD"], [2000, "+2 USD"], [3000, "+1 USD"]);
    ports.hiddenIds.add(history[1]?.id ?? "");
    ports.clock.in(150, () => ports.hiddenIds.clear());
    expect(await readAt(2500)).toEqual([2, 7n, true]);
    expect(ports.clock.sleeps).toEqual([50, 100]);
  });

  it("of a wallet that is written meanwhile does not make a later decision part of the answer", async () => {
    decideAt(ports, [1000, "+5 USD"], [3000, "+1 USD"]);
    const act = () => void decideAt(ports, [4000, "+9 USD"], [5000, "+9 USD"]);
    ports.intervene({ operation: "readWallet", at: "after", act });
    expect(await readAt(2500)).toEqual([1, 5n, true]);
  });
});

it("the moments beside one are a millisecond away", () => {
  expect(momentAfter("2026-11-23T23:59:59.999Z")).toBe("2026-11-24T00:00:00.000Z");
  expect(momentBefore("2026-11-24T00:00:00.000Z")).toBe("2026-11-23T23:59:59.999Z");
});
