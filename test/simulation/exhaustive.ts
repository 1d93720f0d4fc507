import { type Movement, noFaults, type Operation, type Plan } from "./plan.ts";

const USERS = ["alice", "bob", "carol"];

type Step = readonly [userId: string, type: Movement["type"], amountMinor: bigint, key: string];

/** Has rejections, a balance that becomes zero, and a key that is used twice. */
const STEPS: readonly Step[] = [
  ["alice", "deposit", 500n, "first"],
  ["bob", "withdrawal", 100n, "first"],
  ["alice", "withdrawal", 300n, "second"],
  ["carol", "deposit", 100n, "first"],
  ["alice", "withdrawal", 300n, "third"],
  ["bob", "deposit", 250n, "second"],
  ["alice", "deposit", 500n, "first"],
  ["carol", "withdrawal", 100n, "second"],
  ["bob", "withdrawal", 250n, "third"],
  ["alice", "withdrawal", 200n, "fourth"],
];
const STEP_MS = 12;

/** Ten commands of three users; functions crash at the given awaits. */
export function smallHistory(crashAt: readonly number[]): Plan {
  const operations = STEPS.map(
    ([userId, type, amountMinor, key], index): Operation => ({
      kind: "movement",
      id: `step${index + 1}`,
      atMs: index * STEP_MS,
      userId,
      type,
      currency: "USD",
      amountMinor,
      key,
      asAdmin: false,
      waitSeconds: 0,
      retriesAfterMs: [],
      isInvalidWrite: false,
      forgery: undefined,
    }),
  );
  return {
    seed: 1,
    users: USERS,
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
