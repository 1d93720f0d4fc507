import type { Capture } from "./movements/capture.ts";
import type { Credit } from "./movements/credit.ts";
import type { Deposit } from "./movements/deposit.ts";
import type { Exchange } from "./movements/exchange.ts";
import type { Expiry } from "./movements/expiry.ts";
import type { Hold } from "./movements/hold.ts";
import type { Release } from "./movements/release.ts";
import type { Reversal } from "./movements/reversal.ts";
import type { StatusChange } from "./movements/statusChange.ts";
import type { Transfer } from "./movements/transfer.ts";
import type { Withdrawal } from "./movements/withdrawal.ts";

/** Who asks for a command: the wallet's owner, the other user of a promised hold, an operator, or the ledger itself. */
export const ACTORS = ["owner", "counterparty", "admin", "ledger"] as const;
export type Actor = (typeof ACTORS)[number];

/** What every command has: the content that the ledger accepted and that its decision never changes. */
export interface CommandBase {
  /** Id of the transaction that this command becomes. */
  readonly id: string;
  readonly userId: string;
  readonly actor: Actor;
  /** When the API accepted the command, or when the decision that emitted it was made. ISO 8601, UTC. */
  readonly createdAt: string;
  /** Absent for a command that moves no money. */
  readonly currency?: string | undefined;
  /** The currency's digits after the decimal point, as of the acceptance. */
  readonly exponent?: number | undefined;
  /** Minor units, above zero. Absent if the decision fixes the amount: all that remains of what the command refers to. */
  readonly amountMinor?: bigint | undefined;
  /** Hash of the reference and the metadata; see `detailsHashOf`. */
  readonly detailsHash: string;
}

/** A command in one currency. */
export interface MoneyCommand extends CommandBase {
  readonly currency: string;
  readonly exponent: number;
}

/** A command with a fixed amount. */
export interface AmountCommand extends MoneyCommand {
  readonly amountMinor: bigint;
}

/** What a client, or another decision, asks of one wallet. */
export type Command =
  | Deposit
  | Withdrawal
  | Transfer
  | Credit
  | Hold
  | Capture
  | Release
  | Expiry
  | Exchange
  | Reversal
  | StatusChange;

export type CommandType = Command["type"];
export type CommandOf<Type extends CommandType> = Extract<Command, { type: Type }>;

export const COMMAND_TYPES = [
  "deposit",
  "withdrawal",
  "transfer",
  "credit",
  "hold",
  "capture",
  "release",
  "expiry",
  "exchange",
  "reversal",
  "status_change",
] as const satisfies readonly CommandType[];

/** The earlier transaction of the same wallet that a command refers to, if any. */
export function refersToOf(command: Command): string | undefined {
  return "refersTo" in command ? command.refersTo : undefined;
}
