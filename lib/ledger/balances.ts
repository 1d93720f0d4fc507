import type { Currency } from "../domain/currency.ts";
import { balanceOf, emptyWallet } from "../domain/wallet.ts";
import type { CurrencyList, LedgerStore } from "./ports.ts";

export interface Balances {
  readonly sequence: number;
  readonly balances: readonly { readonly currency: Currency; readonly amountMinor: bigint }[];
  /** Codes of currencies that the wallet holds and the currencies table lacks: their exponent is unknown. */
  readonly unknownCurrencies: readonly string[];
}

/** A user's balance in every enabled currency, zero included, and in any other that is not zero. Strongly consistent. */
export async function readBalances(
  userId: string,
  { store, currencies }: { store: LedgerStore; currencies: CurrencyList },
): Promise<Balances> {
  const [stored, known] = await Promise.all([store.readWallet(userId), currencies.list()]);
  const wallet = stored ?? emptyWallet;
  const balances = known
    .map((currency) => ({ currency, amountMinor: balanceOf(wallet, currency.code) }))
    .filter(({ currency, amountMinor }) => currency.enabled || amountMinor !== 0n);
  const knownCodes = new Set(known.map(({ code }) => code));
  const unknownCurrencies = [...wallet.balances.keys()].filter((code) => !knownCodes.has(code));
  return { sequence: wallet.sequence, balances, unknownCurrencies };
}
