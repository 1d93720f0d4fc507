import { useState } from "preact/hooks";
import type { Currency } from "../../../packages/client/src/index.ts";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { Day } from "../components/HistoryFilters.tsx";
import { Loading } from "../components/Loading.tsx";
import { Statement } from "../components/Statement.tsx";
import { WalletNavigation } from "../components/WalletNavigation.tsx";
import { useConsole } from "../context.ts";
import { useCurrencies } from "../hooks/useCurrencies.ts";
import { useResource } from "../hooks/useResource.ts";
import { type Filters, periodUntil, readFilters } from "../logic/filters.ts";
import { statementHref } from "../logic/links.ts";
import { usualCurrency } from "../logic/usualCurrency.ts";
import type { PageProps } from "../page.ts";
import { replace } from "../router.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** The statement of a currency over a period. */
export function StatementPage({ params: { userId = "" }, query }: PageProps) {
  const currencies = useCurrencies();
  return (
    <div class="stack">
      <PageHeading>Statement – wallet of {userId}</PageHeading>
      <WalletNavigation userId={userId} current="statement" />
      {currencies.failure && (
        <FailureMessage
          failure={currencies.failure}
          what="The currencies could not be read"
          onRetry={currencies.reload}
        />
      )}
      {currencies.value ? (
        <Chosen userId={userId} currencies={currencies.value} filters={readFilters(query)} />
      ) : (
        !currencies.failure && <Loading what="the currencies" />
      )}
    </div>
  );
}

interface ChosenProps {
  readonly userId: string;
  readonly currencies: readonly Currency[];
  readonly filters: Filters;
}

/** Without a currency in the URL, it is the first one in which the wallet has money. */
function Chosen({ userId, currencies, filters }: ChosenProps) {
  const { client } = useConsole();
  const [nowMs] = useState(Date.now);
  const balances = useResource(async (signal) => (await client.wallet(userId).balances({ signal })).balances, [userId]);
  const isKnown = balances.value !== undefined || balances.failure !== undefined;
  const currency = filters.currency || (isKnown ? usualCurrency(currencies, balances.value ?? []) : "");
  if (currency === "") return <Loading what="the balances" />;
  const change = (changed: Partial<Filters>) => replace(statementHref(userId, { ...filters, currency, ...changed }));
  return (
    <>
      <form class="filters no-print" aria-label="Currency and period" onSubmit={(event) => event.preventDefault()}>
        <div class="field">
          <label for="statement-currency">Currency</label>
          <select id="statement-currency" onChange={({ currentTarget }) => change({ currency: currentTarget.value })}>
            {currencies.map(({ code, name }) => (
              <option key={code} value={code} selected={code === currency}>
                {code} – {name}
              </option>
            ))}
          </select>
        </div>
        <Day label="From" value={filters.from} onChange={(from) => change({ from })} />
        <Day label="To" value={filters.to} onChange={(to) => change({ to })} />
      </form>
      <Statement userId={userId} query={{ currency, ...periodUntil(filters, nowMs) }} />
    </>
  );
}
