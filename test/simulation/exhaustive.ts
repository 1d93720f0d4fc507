import { type Movement, noFaults, type Plan } from "./plan.ts";

type Step = Pick<Movement, "userId" | "type" | "amountMinor" | "key"> & Partial<Movement>;

function step(
  userId: string,
  type: Movement["type"],
  amountMinor: bigint,
  key: string,
  more: Partial<Movement> = {},
): Step {
  return { userId, type, amountMinor, key, ...more };
}

/** The same steps in every run, 12 ms apart. */
const HISTORIES = {
  /** Has rejections, a balance that becomes zero, and a key that is used twice. */
  "deposits and withdrawals": [
    step("alice", "deposit", 500n, "first"),
    step("bob", "withdrawal", 100n, "first"),
    step("alice", "withdrawal", 300n, "second"),
    step("carol", "deposit", 100n, "first"),
    step("alice", "withdrawal", 300n, "third"),
    step("bob", "deposit", 250n, "second"),
    step("alice", "deposit", 500n, "first"),
    step("carol", "withdrawal", 100n, "second"),
    step("bob", "withdrawal", 250n, "third"),
    step("alice", "withdrawal", 200n, "fourth"),
  ],
  /** A transfer, a capture of a promised hold, a refund of a part of each, and a wallet that is closed meanwhile. */
  transfers: [
    step("bob", "deposit", 100n, "first"),
    step("alice", "deposit", 500n, "first"),
    step("alice", "transfer", 200n, "second", { to: "bob", atMs: 40 }),
    step("alice", "hold", 150n, "third", { to: "bob", atMs: 45 }),
    step("alice", "capture", 100n, "first", {
      callerId: "bob",
      final: true,
      refersTo: { userId: "alice", key: "third", isCredit: false },
      atMs: 60,
    }),
    step("bob", "reversal", 50n, "second", {
      refersTo: { userId: "alice", key: "second", isCredit: true },
      atMs: 100,
    }),
  ],
} as const satisfies Record<string, readonly Step[]>;
const STEP_MS = 12;

export type HistoryName = keyof typeof HISTORIES;
export const HISTORY_NAMES: readonly HistoryName[] = ["deposits and withdrawals", "transfers"];

/** A few commands of a few users; functions crash at the given awaits. */
export function smallHistory(name: HistoryName, crashAt: readonly number[]): Plan {
  const operations = HISTORIES[name].map(
    (step, index): Movement => ({
      kind: "movement",
      id: `step${index + 1}`,
      atMs: index * STEP_MS,
      currency: "USD",
      asAdmin: false,
      waitSeconds: 0,
      retriesAfterMs: [],
      isInvalidWrite: false,
      forgery: undefined,
      ...step,
    }),
  );
  return {
    seed: 1,
    users: [...new Set(operations.map(({ userId }) => userId))],
    operations,
    faults: { ...noFaults, crashAt },
    settings: {
      batchMax: 4,
      consumersMax: 2,
      latencyMs: 3,
      receivesMax: 5,
      pageItemsMax: 1000,
      warm: 1,
      redriveAtEnd: "none",
      // Pairs of crashes make thousands of histories, and the oracle reads the database anyway.
      readAllAtEnd: crashAt.length < 2,
      functionTimeouts: true,
    },
  };
}
