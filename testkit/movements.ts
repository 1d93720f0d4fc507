import type { Command, CommandOf, CommandType } from "../lib/domain/command.ts";
import { fold } from "../lib/domain/decide.ts";
import { emptyWallet, type Wallet } from "../lib/domain/state.ts";
import type { Decision, Transaction } from "../lib/domain/transaction.ts";
import { commandWith, stateOf, transactionOf } from "./storeContract.ts";

/** For tests of single movements: commands of alice's, and what they end with. */

export const EXPIRES_AT = "2026-11-30T09:30:00.000Z";

/** One command of each type, with every field that its type can have. */
export const COMMANDS: { readonly [Type in CommandType]: CommandOf<Type> } = {
  deposit: commandWith(),
  withdrawal: commandWith({ type: "withdrawal" }),
  transfer: commandWith({ type: "transfer", to: "bob" }),
  credit: commandWith({
    type: "credit",
    actor: "ledger",
    source: { type: "return", userId: "bob", transactionId: "tx_rejected", refersTo: "tx_original" },
    refersTo: "tx_refunded",
  }),
  hold: commandWith({ type: "hold", to: "bob", expiresAt: EXPIRES_AT }),
  capture: commandWith({ type: "capture", refersTo: "tx_hold", final: false, to: "bob" }),
  release: commandWith({ type: "release", refersTo: "tx_hold" }),
  expiry: commandWith({ type: "expiry", actor: "ledger", refersTo: "tx_hold" }),
  exchange: commandWith({ type: "exchange", bought: { currency: "JPY", exponent: 0, amountMinor: 150n } }),
  reversal: commandWith({ type: "reversal", refersTo: "tx_original", to: "bob" }),
  status_change: commandWith({ type: "status_change", actor: "admin", newStatus: "frozen" }),
};

/** Decides commands in one fold. Each can refer to the earlier ones. */
export function decided(
  commands: readonly Command[],
  wallet: Wallet = emptyWallet,
  earlier: readonly Transaction[] = [],
) {
  const start = stateOf(wallet, [...commands.map((command) => transactionOf(command)), ...earlier]);
  const { state, decisions } = fold(start, commands, "2026-11-23T09:30:00.250Z");
  return { ...state, decisions, results: decisions.map(resultOf) };
}

function resultOf({ outcome }: Decision) {
  return outcome.status === "posted" ? outcome.status : outcome.code;
}
