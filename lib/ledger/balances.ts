import type { Currency } from "../domain/currency.ts";
import { balanceOf, currenciesOf, emptyWallet, heldOf, type WalletStatus } from "../domain/state.ts";
import { type Past, type PastPorts, readAsOf } from "./past.ts";
import type { CurrencyList } from "./ports.ts";

export interface Balances {
  readonly status: WalletStatus;
  readonly sequence: number;
  /** Hash of the last decision; absent before the first. */
  readonly hash: string | undefined;
  /** True if a decision that is being written can still change the answer about a past moment. */
  readonly isProvisional: boolean;
  readonly balances: readonly {
    readonly currency: Currency;
    readonly amountMinor: bigint;
    readonly heldMinor: bigint;
  }[];
  /** Codes of currencies that the wallet holds and the currencies table lacks: their exponent is unknown. */
  readonly unknownCurrencies: readonly string[];
}

/**
 * A user's balance in every enabled currency, zero included, and in any other that is not zero. Strongly consistent.
 *
 * @param at the moment of which the balances are, ISO 8601 with milliseconds, UTC; now if absent
 * @throws TransientError when the index lags for longer than the reader waits
 */
export async function readBalances(
  userId: string,
  at: string | undefined,
  { currencies, ...ports }: PastPorts & { readonly currencies: CurrencyList },
): Promise<Balances> {
  const [{ wallet, isFinal }, known] = await Promise.all([
    at === undefined ? readNow(userId, ports) : readAsOf(userId, at, ports),
    currencies.list(),
  ]);
  const balances = known
    .map((currency) => ({
      currency,
      amountMinor: balanceOf(wallet, currency.code),
      heldMinor: heldOf(wallet, currency.code),
    }))
    .filter(({ currency, amountMinor }) => currency.enabled || amountMinor !== 0n);
  const knownCodes = new Set(known.map(({ code }) => code));
  const unknownCurrencies = currenciesOf(wallet).filter((code) => !knownCodes.has(code));
  const { status, sequence, hash } = wallet;
  return { status, sequence, hash, isProvisional: !isFinal, balances, unknownCurrencies };
}

async function readNow(userId: string, { store }: PastPorts): Promise<Past> {
  return { wallet: (await store.readWallet(userId)) ?? emptyWallet, isFinal: true };
}
