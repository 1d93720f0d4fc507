import { type Movement, noFaults, type Plan } from "./plan.ts";

type Step = Pick<Movement, "atMs" | "userId" | "type" | "amountMinor" | "key"> & Partial<Movement>;

function step(
  atMs: number,
  userId: string,
  type: Movement["type"],
  amountMinor: bigint,
  key: string,
  more: Partial<Movement> = {},
): Step {
  return { atMs, userId, type, amountMinor, key, ...more };
}

/** A transfer, a capture of a promised hold, a refund of a part of the transfer, and a key that is used twice. */
const STEPS: readonly Step[] = [
  step(0, "bob", "deposit", 100n, "first"),
  step(12, "alice", "deposit", 500n, "first"),
  step(40, "alice", "transfer", 200n, "second", { to: "bob" }),
  step(45, "alice", "hold", 150n, "third", { to: "bob" }),
  step(60, "alice", "capture", 100n, "first", {
    callerId: "bob",
    final: true,
    refersTo: { userId: "alice", key: "third", isCredit: false },
  }),
  step(70, "alice", "deposit", 500n, "first"),
  step(100, "bob", "reversal", 50n, "second", { refersTo: { userId: "alice", key: "second", isCredit: true } }),
];

/** The commands of two users; functions crash at the given awaits. */
export function smallHistory(crashAt: readonly number[]): Plan {
  const operations = STEPS.map(
    (step, index): Movement => ({
      kind: "movement",
      id: `step${index + 1}`,
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

/**
 * The earlier await at which a crash makes the very same history: the function got a response there and has done nothing
 * since. `undefined` if there is none.
 *
 * @param awaits of a run, by the names of their places
 * @param index counts from 1, as in a plan's `crashAt`
 */
export function sameCrash(awaits: readonly string[], index: number): number | undefined {
  const [place = "", ...earlier] = awaits.slice(0, index).reverse();
  if (!/ (before|end)$/.test(place)) return undefined;
  const distance = earlier.findIndex((other) => invocationOf(other) === invocationOf(place));
  return distance < 0 || earlier[distance]?.endsWith(" before") ? undefined : index - 1 - distance;
}

/**
 * Whether a pair of crashes needs one at this await. A crash after a read leaves what a crash before it leaves, only later:
 * reads change nothing that is stored.
 */
export function isInPairs(awaits: readonly string[], index: number): boolean {
  const isAfterRead = / (GetItem|BatchGetItem|Query|Scan) after$/.test(awaits[index - 1] ?? "");
  return !isAfterRead && sameCrash(awaits, index) === undefined;
}

function invocationOf(place: string): string {
  return place.replace(/[ /].*/, "");
}
