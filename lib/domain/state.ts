import type { Transaction } from "./transaction.ts";

export const WALLET_STATUSES = ["active", "frozen", "closed"] as const;
export type WalletStatus = (typeof WALLET_STATUSES)[number];

/** A user's balances, and the end of the user's history. */
export interface Wallet {
  readonly status: WalletStatus;
  /** Sequence number of the last decision; 0 before the first. */
  readonly sequence: number;
  /** Minor units that the user can spend, by currency code; no entry for zero. */
  readonly available: ReadonlyMap<string, bigint>;
  /** Minor units that holds keep back, by currency code; no entry for zero. */
  readonly held: ReadonlyMap<string, bigint>;
  /** When the last decision was made. ISO 8601, UTC; absent before the first. */
  readonly decidedAt: string | undefined;
  /** Hash of the last decision: the head of the hash chain. Absent before the first. */
  readonly hash: string | undefined;
}

/** What a command is decided on. */
export interface State {
  readonly wallet: Wallet;
  /** The wallet's transactions that commands refer to, by id, as of this state. */
  readonly referred: ReadonlyMap<string, Transaction>;
}

export const emptyWallet: Wallet = {
  status: "active",
  sequence: 0,
  available: new Map(),
  held: new Map(),
  decidedAt: undefined,
  hash: undefined,
};

export function availableOf({ available }: Pick<Wallet, "available">, currency: string): bigint {
  return available.get(currency) ?? 0n;
}

export function heldOf({ held }: Pick<Wallet, "held">, currency: string): bigint {
  return held.get(currency) ?? 0n;
}

/** The balance of a currency, available and held together, in minor units. */
export function balanceOf(wallet: Pick<Wallet, "available" | "held">, currency: string): bigint {
  return availableOf(wallet, currency) + heldOf(wallet, currency);
}

/** The currencies in which a wallet has money, in the order of their codes. */
export function currenciesOf({ available, held }: Pick<Wallet, "available" | "held">): string[] {
  return [...new Set([...available.keys(), ...held.keys()])].sort();
}
