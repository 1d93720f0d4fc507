import type { Deposit } from "./movements/deposit.ts";
import type { Withdrawal } from "./movements/withdrawal.ts";

/** Who asks for a command: the wallet's owner, the other user of a promised hold, or an operator. */
export const ACTORS = ["owner", "counterparty", "admin"] as const;
export type Actor = (typeof ACTORS)[number];

/** What every command has: the content that the ledger accepted and that its decision never changes. */
export interface CommandBase {
  /** Id of the transaction that this command becomes. */
  readonly id: string;
  readonly userId: string;
  readonly actor: Actor;
  /** When the API accepted the command. ISO 8601, UTC. */
  readonly createdAt: string;
  readonly currency: string;
  /** The currency's digits after the decimal point, as of the acceptance. */
  readonly exponent: number;
  /** Minor units, above zero. */
  readonly amountMinor: bigint;
  /** Hash of the reference and the metadata; see `detailsHashOf`. */
  readonly detailsHash: string;
}

/** What a client asks of one wallet. */
export type Command = Deposit | Withdrawal;

export const COMMAND_TYPES = ["deposit", "withdrawal"] as const satisfies readonly Command["type"][];
