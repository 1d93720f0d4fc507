import type { Currency } from "../domain/currency.ts";
import type { Clock, CurrencyList } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { cached } from "./cache.ts";
import { currencyItem } from "./items.ts";
import { scan } from "./scan.ts";

/** How long a function uses the currencies that it has read. */
const CURRENCIES_MAX_AGE_MS = 10_000;

/** The currencies table, read once and cached for {@link CURRENCIES_MAX_AGE_MS}. */
export function dynamoCurrencies(clock: Clock): CurrencyList {
  return { list: cached(readAll, CURRENCIES_MAX_AGE_MS, clock) };
}

async function readAll(): Promise<readonly Currency[]> {
  const currencies: Currency[] = [];
  for await (const item of scan({ TableName: setting("CURRENCIES_TABLE") })) currencies.push(currencyItem.parse(item));
  return currencies.sort((a, b) => (a.code < b.code ? -1 : 1));
}
