import { type Forgery, noFaults, type Plan } from "./plan.ts";

/** A shrunk plan that once broke an invariant, and the mutant that has the bug. */
interface Regression {
  readonly mutant: string;
  readonly plan: Plan;
}

/** One deposit of a user, with a forged message under its id. */
function forgedDeposit(seed: number, batchMax: number, forgery: Forgery): Plan {
  const userId = "alice";
  return {
    seed,
    users: [userId],
    operations: [
      {
        kind: "movement",
        id: "op1",
        atMs: 187,
        userId,
        type: "deposit",
        currency: "JPY",
        amountMinor: 4n,
        key: "key-1",
        asAdmin: false,
        waitSeconds: 0,
        retriesAfterMs: [],
        isInvalidWrite: false,
        forgery,
      },
    ],
    faults: noFaults,
    settings: {
      batchMax,
      consumersMax: 4,
      latencyMs: 2,
      receivesMax: 5,
      pageItemsMax: 1000,
      warm: 1,
      redriveAtEnd: "none",
      readAllAtEnd: true,
      functionTimeouts: true,
    },
  };
}

export const REGRESSIONS: readonly Regression[] = [
  {
    mutant: "a forged message counts as a duplicate of the true one",
    plan: forgedDeposit(4, 6, {
      at: "beforeSent",
      delayMs: 0,
      field: "currency",
      groupIds: ["alice"],
      takesDeduplicationId: false,
    }),
  },
  {
    mutant: "the content hash leaves out amountMinor?.toString()",
    plan: forgedDeposit(49, 3, {
      at: "beforeSent",
      delayMs: 0,
      field: "amountMinor",
      groupIds: ["alice"],
      takesDeduplicationId: true,
    }),
  },
];
