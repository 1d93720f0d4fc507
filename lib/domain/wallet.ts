import type { Command } from "./command.ts";
import { MINOR_UNITS_MAX } from "./money.ts";
import type { RejectionCode } from "./rejection.ts";

/** A user's balances. */
export interface Wallet {
  /** Sequence number of the last decision; 0 before the first. */
  readonly sequence: number;
  /** Minor units by currency code; 0 for a currency without an entry. */
  readonly balances: ReadonlyMap<string, bigint>;
}

/** The outcome of one command. */
export interface Decision {
  readonly id: string;
  readonly currency: string;
  /** The user's gap-free count of decisions, from 1. */
  readonly sequence: number;
  /** The balance of the command's currency after the decision, in minor units; unchanged by a rejection. */
  readonly balanceAfterMinor: bigint;
  readonly outcome: { readonly status: "posted" } | { readonly status: "rejected"; readonly code: RejectionCode };
}

export const emptyWallet: Wallet = { sequence: 0, balances: new Map() };

export function balanceOf(wallet: Wallet, currency: string): bigint {
  return wallet.balances.get(currency) ?? 0n;
}

/** Decides one command. Every decision, rejections included, takes the next sequence number. */
export function decide(wallet: Wallet, command: Command): Decision {
  const balanceMinor = balanceOf(wallet, command.currency);
  const balanceAfterMinor = balanceMinor + deltaOf(command);
  const rejection = rejectionOf(balanceAfterMinor);
  return {
    id: command.id,
    currency: command.currency,
    sequence: wallet.sequence + 1,
    balanceAfterMinor: rejection ? balanceMinor : balanceAfterMinor,
    outcome: rejection ? { status: "rejected", code: rejection } : { status: "posted" },
  };
}

/** The wallet after a decision. */
export function evolve(wallet: Wallet, decision: Decision): Wallet {
  const balances =
    decision.outcome.status === "posted"
      ? new Map(wallet.balances).set(decision.currency, decision.balanceAfterMinor)
      : wallet.balances;
  return { sequence: decision.sequence, balances };
}

/** The result of a user's commands, for one write instead of one per command. */
export interface Fold {
  readonly wallet: Wallet;
  readonly decisions: readonly Decision[];
  /** By debited currency: the least initial balance, in minor units, with which no step goes below zero. */
  readonly requiredMinor: ReadonlyMap<string, bigint>;
}

/** Decides commands in order, each against the wallet after the previous one. */
export function fold(start: Wallet, commands: readonly Command[]): Fold {
  let wallet = start;
  const decisions: Decision[] = [];
  const requiredMinor = new Map<string, bigint>();
  for (const command of commands) {
    const decision = decide(wallet, command);
    wallet = evolve(wallet, decision);
    decisions.push(decision);
    const debitedMinor = balanceOf(start, decision.currency) - decision.balanceAfterMinor;
    if (debitedMinor > (requiredMinor.get(decision.currency) ?? 0n)) requiredMinor.set(decision.currency, debitedMinor);
  }
  return { wallet, decisions, requiredMinor };
}

/** The change of the balance if the command is posted, in minor units. */
export function deltaOf(command: Pick<Command, "type" | "amountMinor">): bigint {
  switch (command.type) {
    case "deposit":
      return command.amountMinor;
    case "withdrawal":
      return -command.amountMinor;
  }
}

function rejectionOf(balanceAfterMinor: bigint): RejectionCode | undefined {
  if (balanceAfterMinor < 0n) return "insufficient_funds";
  if (balanceAfterMinor > MINOR_UNITS_MAX) return "balance_limit";
  return undefined;
}
