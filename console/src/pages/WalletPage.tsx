import { useEffect, useMemo } from "preact/hooks";
import type { WalletStatus as WalletStatusName } from "../../../packages/client/src/index.ts";
import { BalanceCards } from "../components/BalanceCards.tsx";
import { EmptyState } from "../components/EmptyState.tsx";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { HistoryFilters } from "../components/HistoryFilters.tsx";
import { HistoryList } from "../components/HistoryList.tsx";
import { Loading } from "../components/Loading.tsx";
import { UnfinishedCommands } from "../components/UnfinishedCommands.tsx";
import { WalletActions } from "../components/WalletActions.tsx";
import { WalletNavigation } from "../components/WalletNavigation.tsx";
import { WalletStatus } from "../components/WalletStatus.tsx";
import { useConsole } from "../context.ts";
import { useAttempts } from "../hooks/useAttempts.ts";
import { type LiveBalances, useBalances } from "../hooks/useBalances.ts";
import { isZero } from "../logic/amount.ts";
import { readFilters, writeFilters } from "../logic/filters.ts";
import { commandHref } from "../logic/links.ts";
import { SENTENCES } from "../logic/problem.ts";
import type { PageProps } from "../page.ts";
import { replace, useLocation } from "../router.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** A wallet: balances, commands in progress and the history, updated as decisions arrive. */
export function WalletPage({ params: { userId = "" }, query }: PageProps) {
  const { client, isOperator } = useConsole();
  const wallet = useMemo(() => client.wallet(userId), [client, userId]);
  const live = useBalances(wallet);
  const attempts = useAttempts().filter(({ draft }) => !isOperator || draft.userId === userId);
  const { path } = useLocation();
  const filters = readFilters(query);
  const settled = attempts.filter(({ state }) => state === "settled").length;
  useEffect(live.refresh, [settled]);

  return (
    <div class="stack">
      <div class="page-heading">
        <PageHeading>Wallet of {userId}</PageHeading>
        {live.balances && <WalletStatus status={live.balances.status} />}
      </div>
      <WalletNavigation userId={userId} current="overview" />
      <StatusNotice status={live.balances?.status} />
      <section class="stack" aria-labelledby="balances">
        <h2 id="balances">Balances</h2>
        <BalancesOf userId={userId} live={live} />
        <WalletActions userId={userId} />
      </section>
      <UnfinishedCommands attempts={attempts} />
      <section class="stack" aria-labelledby="history">
        <h2 id="history">History</h2>
        <HistoryFilters filters={filters} onChange={(changed) => replace(`#${path}${writeFilters(changed)}`)} />
        <HistoryList wallet={wallet} filters={filters} sequence={live.balances?.sequence} />
      </section>
    </div>
  );
}

function StatusNotice({ status }: { readonly status: WalletStatusName | undefined }) {
  if (status !== "frozen" && status !== "closed") return null;
  return <p class="notice">{SENTENCES[`wallet_${status}`]}</p>;
}

function BalancesOf({
  userId,
  live: { balances, failure, refresh },
}: {
  readonly userId: string;
  readonly live: LiveBalances;
}) {
  const problem = failure && (
    <FailureMessage
      failure={failure}
      what={balances ? "The balances may be old" : "The balances could not be read"}
      onRetry={refresh}
    />
  );
  if (!balances) return problem ?? <Loading what="the balances" />;
  const filled = balances.balances.filter(({ amount }) => !isZero(amount));
  if (filled.length === 0) {
    return (
      <>
        {problem}
        <EmptyState title="This wallet has no money">
          <p>
            <a href={commandHref(userId, "deposit")}>Make a deposit</a>, or let another user send some to{" "}
            <strong>{userId}</strong>.
          </p>
        </EmptyState>
      </>
    );
  }
  return (
    <>
      {problem}
      <BalanceCards userId={userId} balances={filled} />
    </>
  );
}
