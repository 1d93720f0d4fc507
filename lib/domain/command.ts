interface Movement {
  /** Id of the transaction that this command becomes. */
  readonly id: string;
  readonly userId: string;
  readonly currency: string;
  /** Minor units, above zero. */
  readonly amountMinor: bigint;
}

interface Deposit extends Movement {
  readonly type: "deposit";
}

interface Withdrawal extends Movement {
  readonly type: "withdrawal";
}

export type Command = Deposit | Withdrawal;

export const COMMAND_TYPES = ["deposit", "withdrawal"] as const satisfies readonly Command["type"][];
