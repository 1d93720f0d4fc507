import type { Balance, Currency } from "../../../packages/client/src/index.ts";
import { isZero } from "./amount.ts";

/** Of an empty wallet, if it is enabled. */
const OF_EMPTY_WALLET = "USD";

/** The currency that a form or a statement has at first: one in which the wallet has money. */
export function usualCurrency(currencies: readonly Currency[], balances: readonly Balance[]): string {
  const filled = balances.find(({ amount }) => !isZero(amount))?.currency;
  const fallback = currencies.find(({ code }) => code === OF_EMPTY_WALLET) ?? currencies[0];
  return filled ?? fallback?.code ?? "";
}
