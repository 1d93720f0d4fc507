import type { Currency } from "../domain/currency.ts";
import type { Clock, CurrencyList } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { currencyItem } from "./items.ts";
import { scan } from "./scan.ts";

/** How long a function uses the currencies that it has read. */
const CURRENCIES_MAX_AGE_MS = 10_000;

/** The currencies table, read once and cached for {@link CURRENCIES_MAX_AGE_MS}. */
export function dynamoCurrencies(clock: Clock): CurrencyList {
  let cached: { readonly currencies: Promise<readonly Currency[]>; readonly readAtMs: number } | undefined;
  return {
    list() {
      const nowMs = clock.now().getTime();
      if (!cached || nowMs - cached.readAtMs >= CURRENCIES_MAX_AGE_MS) {
        const currencies = readAll();
        cached = { currencies, readAtMs: nowMs };
        currencies.catch(() => {
          if (cached?.currencies === currencies) cached = undefined;
        });
      }
      return cached.currencies;
    },
  };
}

async function readAll(): Promise<readonly Currency[]> {
  const currencies: Currency[] = [];
  for await (const item of scan({ TableName: setting("CURRENCIES_TABLE") })) currencies.push(currencyItem.parse(item));
  return currencies.sort((a, b) => (a.code < b.code ? -1 : 1));
}
