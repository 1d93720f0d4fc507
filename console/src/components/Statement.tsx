import { useMemo } from "preact/hooks";
import type { StatementQuery } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { usePages } from "../hooks/usePages.ts";
import { sum } from "../logic/amount.ts";
import { stepsOf } from "../logic/chart.ts";
import { commandHref } from "../logic/links.ts";
import { BalanceChart } from "./BalanceChart.tsx";
import { CsvDownload } from "./CsvDownload.tsx";
import { EmptyState } from "./EmptyState.tsx";
import { FailureMessage } from "./FailureMessage.tsx";
import { Loading } from "./Loading.tsx";
import { MoreButton } from "./MoreButton.tsx";
import { StatementLines } from "./StatementLines.tsx";
import { StatementTotals } from "./StatementTotals.tsx";

interface Props {
  readonly userId: string;
  readonly query: StatementQuery;
}

/** The totals, the chart and the lines of the pages that were read. */
export function Statement({ userId, query }: Props) {
  const { client } = useConsole();
  const wallet = useMemo(() => client.wallet(userId), [client, userId]);
  const { pages, failure, isReading, hasMore, readMore, restart } = usePages(
    (signal) => wallet.statement({ ...query, limit: 100, signal }).pages(),
    [userId, query],
  );
  const [first] = pages;
  const last = pages.at(-1);
  const lines = pages.flatMap((page) => page.lines);
  return (
    <>
      {failure && <FailureMessage failure={failure} what="The statement could not be read" onRetry={restart} />}
      {first && last && (
        <>
          <StatementTotals
            currency={query.currency}
            opening={first.opening}
            credits={sum(pages.map(({ credits }) => credits))}
            debits={sum(pages.map(({ debits }) => debits))}
            closing={last.closing}
            until={hasMore ? lines.at(-1)?.decidedAt : undefined}
          />
          {first.provisional && (
            <p class="hint">A decision of the last seconds can still be missing. Reload the page to see it.</p>
          )}
          {lines.length > 0 ? (
            <>
              <BalanceChart
                currency={query.currency}
                steps={stepsOf(first.opening, query.from, lines)}
                end={hasMore ? (lines.at(-1)?.decidedAt ?? last.to) : last.to}
              />
              <StatementLines userId={userId} currency={query.currency} opening={first} lines={lines} />
            </>
          ) : (
            <EmptyState title={`No credits and debits in ${query.currency}`}>
              <p>
                Choose another currency or period, or <a href={commandHref(userId, "deposit")}>make a deposit</a>.
              </p>
            </EmptyState>
          )}
          <CsvDownload wallet={wallet} query={query} />
        </>
      )}
      {isReading && !first && <Loading what="the statement" />}
      {first && !failure && hasMore && <MoreButton isReading={isReading} onClick={readMore} />}
    </>
  );
}
