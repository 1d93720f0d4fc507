import type { Currency } from "../domain/currency.ts";
import type { CurrencyList } from "../ledger/ports.ts";
import { HttpProblem } from "./problem.ts";

/**
 * The currency of a query, also a disabled one.
 *
 * @throws HttpProblem `unknown_currency`
 */
export async function findCurrency(code: string, currencies: CurrencyList): Promise<Currency> {
  const currency = (await currencies.list()).find((candidate) => candidate.code === code);
  if (currency) return currency;
  const errors = [{ parameter: "currency", detail: "must be the code of a known currency" }];
  throw new HttpProblem("unknown_currency", { detail: "The currency is unknown", errors });
}
