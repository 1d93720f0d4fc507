import type { Currency } from "../domain/currency.ts";
import { balanceOf, emptyWallet } from "../domain/wallet.ts";
import type { CurrencyList, LedgerStore } from "./ports.ts";

export interface Balances {
  readonly sequence: number;
  readonly balances: readonly { readonly currency: Currency; readonly amountMinor: bigint }[];
}

/**
 * A user's balance in every enabled currency, zero included, and in any other that is not zero. Strongly consistent.
 *
 * @throws Error when the wallet holds a currency whose row is gone from the currencies table
 */
export async function readBalances(
  userId: string,
  { store, currencies }: { store: LedgerStore; currencies: CurrencyList },
): Promise<Balances> {
  const [stored, known] = await Promise.all([store.readWallet(userId), currencies.list()]);
  const wallet = stored ?? emptyWallet;
  const lost = [...wallet.balances.keys()].filter((code) => !known.some((currency) => currency.code === code));
  if (lost.length > 0) throw new Error(`The currencies table has no ${lost.join(", ")}, which a wallet holds`);
  const balances = known
    .map((currency) => ({ currency, amountMinor: balanceOf(wallet, currency.code) }))
    .filter(({ currency, amountMinor }) => currency.enabled || amountMinor !== 0n);
  return { sequence: wallet.sequence, balances };
}
