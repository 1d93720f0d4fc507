import type { Transaction, Wallet } from "../../../packages/client/src/index.ts";
import { useHistory } from "../hooks/useHistory.ts";
import { useVisible } from "../hooks/useVisible.ts";
import { titleOf } from "../logic/describe.ts";
import { type Filters, hasFilters } from "../logic/filters.ts";
import { EmptyState } from "./EmptyState.tsx";
import { FailureMessage } from "./FailureMessage.tsx";
import { HistoryRow } from "./HistoryRow.tsx";
import { Loading } from "./Loading.tsx";
import { MoreButton } from "./MoreButton.tsx";

interface Props {
  readonly wallet: Wallet;
  readonly filters: Filters;
  /** Sequence number of the wallet's last decision, once it is known. */
  readonly sequence: number | undefined;
}

/** So many new transactions are named, and of more only the number. */
const NAMED_MAX = 3;

/** The decided transactions, newest first, with those that arrive while the page is open. */
export function HistoryList({ wallet, filters, sequence }: Props) {
  const { transactions, arrived, failure, isReading, hasMore, readMore } = useHistory(wallet, filters, sequence);
  const canReadMore = hasMore && !isReading && !failure;
  const end = useVisible<HTMLDivElement>(() => canReadMore && readMore());
  const newIds = new Set(arrived.map(({ id }) => id));
  return (
    <>
      <p class="visually-hidden" role="status">
        {announcementOf(arrived)}
      </p>
      {transactions.length > 0 && (
        <ul class="entries" aria-label="Transactions, newest first">
          {transactions.map((transaction) => (
            <HistoryRow key={transaction.id} transaction={transaction} isNew={newIds.has(transaction.id)} />
          ))}
        </ul>
      )}
      {transactions.length === 0 && !hasMore && <NoTransactions isFiltered={hasFilters(filters)} />}
      {failure && <FailureMessage failure={failure} what="The history could not be read" onRetry={readMore} />}
      {isReading && transactions.length === 0 && <Loading what="the history" />}
      {hasMore && !failure && transactions.length > 0 && (
        <MoreButton isReading={isReading} onClick={readMore} box={end} />
      )}
    </>
  );
}

function announcementOf(arrived: readonly Transaction[]): string {
  if (arrived.length === 0) return "";
  return arrived.length > NAMED_MAX ? `${arrived.length} new transactions` : `New: ${arrived.map(titleOf).join(", ")}`;
}

function NoTransactions({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <EmptyState title="No transaction matches the filters">
      <p>Choose another type, currency, status or period.</p>
    </EmptyState>
  ) : (
    <EmptyState title="No transactions yet">
      <p>Make a deposit: it is shown here as soon as the ledger has decided it.</p>
    </EmptyState>
  );
}
