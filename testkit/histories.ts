import { fold } from "../lib/domain/decide.ts";
import { emptyWallet } from "../lib/domain/state.ts";
import type { DecidedTransaction } from "../lib/domain/transaction.ts";
import type { InMemoryPorts } from "./inMemoryPorts.ts";
import { pendingTransaction } from "./storeContract.ts";

/** A deposit, `+5 USD`, or a withdrawal, `-5 USD`, of minor units. */
type Move = `${"+" | "-"}${number} ${string}`;

/** The time that is this much after the first that an in-memory clock shows. */
export function timeAt(milliseconds: number): string {
  return new Date(Date.parse("2026-11-23T09:30:00.000Z") + milliseconds).toISOString();
}

/** Decides commands of alice's at these milliseconds, as {@link timeAt} counts them, one write for each. */
export function decideAt(ports: InMemoryPorts, ...steps: readonly (readonly [number, Move])[]): DecidedTransaction[] {
  return steps.map(([milliseconds, move]) => {
    const [change = "", currency = ""] = move.split(" ");
    const amountMinor = BigInt(change.slice(1));
    const pending = pendingTransaction("alice", change.startsWith("+") ? "deposit" : "withdrawal", amountMinor, currency);
    const { wallet, decisions } = fold(ports.wallets.get("alice") ?? emptyWallet, [pending], timeAt(milliseconds));
    const [decision] = decisions;
    if (!decision) throw new Error("A command has no decision");
    const transaction = { ...pending, decision };
    ports.transactions.set(JSON.stringify(["alice", pending.id]), transaction);
    ports.wallets.set("alice", wallet);
    return transaction;
  });
}
