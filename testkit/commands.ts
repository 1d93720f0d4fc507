import type { Command, CommandOf, CommandType } from "../lib/domain/command.ts";
import { fold } from "../lib/domain/decide.ts";
import { emittedBy } from "../lib/domain/emitted.ts";
import { emptyWallet, type WalletStatus } from "../lib/domain/state.ts";
import type { Decision, Transaction } from "../lib/domain/transaction.ts";
import type { InMemoryPorts } from "./inMemoryPorts.ts";
import { commandWith, stateOf, transactionOf } from "./storeContract.ts";

/** Commands of alice's, and what they end with. */

export const EXPIRES_AT = "2026-11-30T09:30:00.000Z";
export const DECIDED_AT = "2026-11-23T09:30:00.250Z";

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

export function deposit(amountMinor: bigint, change: Partial<CommandOf<"deposit">> = {}) {
  return commandWith({ amountMinor, ...change });
}

export function withdrawal(amountMinor: bigint, change: Partial<CommandOf<"withdrawal">> = {}) {
  return commandWith({ type: "withdrawal", amountMinor, ...change });
}

export function hold(amountMinor: bigint, change: Partial<CommandOf<"hold">> = {}) {
  return commandWith({ type: "hold", amountMinor, expiresAt: EXPIRES_AT, ...change });
}

/** The final capture of all that remains, unless something is changed. */
export function captureOf({ id }: Command, change: Partial<CommandOf<"capture">> = {}) {
  return commandWith({ type: "capture", refersTo: id, final: true, amountMinor: undefined, ...change });
}

export function releaseOf({ id }: Command) {
  return commandWith({ type: "release", refersTo: id });
}

export function expiryOf({ id }: Command) {
  return commandWith({ type: "expiry", actor: "ledger", refersTo: id });
}

/** The reversal of all that remains, unless something is changed. */
export function reversalOf({ id }: Command, change: Partial<CommandOf<"reversal">> = {}) {
  return commandWith({ type: "reversal", actor: "admin", refersTo: id, amountMinor: undefined, ...change });
}

/** Money from bob. */
export function credit(
  amountMinor: bigint,
  type: CommandOf<"credit">["source"]["type"],
  change: Partial<CommandOf<"credit">> = {},
) {
  const source = { type, userId: "bob", transactionId: "tx_of_bob" };
  return commandWith({ type: "credit", actor: "ledger", amountMinor, source, ...change });
}

export function statusChange(newStatus: WalletStatus) {
  return commandWith({ type: "status_change", actor: "admin", newStatus });
}

/** Decides commands in one fold. Each can refer to the others, and to earlier transactions. */
export function decided(commands: readonly Command[], wallet = emptyWallet, earlier: readonly Transaction[] = []) {
  const start = stateOf(wallet, [...earlier, ...commands.map((command) => transactionOf(command))]);
  const { state, decisions } = fold(start, commands, DECIDED_AT);
  const emitted = decisions.flatMap((decision, index) => {
    const command = commands[index];
    return (command && emittedBy(command, decision)) ?? [];
  });
  return {
    wallet: state.wallet,
    transactions: [...state.referred.values()],
    decisions,
    emitted,
    results: decisions.map(resultOf),
    remainderOf: ({ id }: Command) => state.referred.get(id)?.remainder,
  };
}

/** Decides commands of alice's in a ledger in memory. */
export function decideIn(ports: InMemoryPorts, ...commands: readonly Command[]): void {
  const { wallet, transactions } = decided(commands, ports.wallets.get("alice"));
  for (const transaction of transactions)
    ports.transactions.set(JSON.stringify(["alice", transaction.id]), transaction);
  ports.wallets.set("alice", wallet);
}

function resultOf({ outcome }: Decision) {
  return outcome.status === "posted" ? outcome.status : outcome.code;
}
