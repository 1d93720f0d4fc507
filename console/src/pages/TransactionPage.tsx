import { useMemo } from "preact/hooks";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { Loading } from "../components/Loading.tsx";
import { PromisedDetails } from "../components/PromisedDetails.tsx";
import { TransactionActions } from "../components/TransactionActions.tsx";
import { TransactionDetails } from "../components/TransactionDetails.tsx";
import { TransactionStatus } from "../components/TransactionStatus.tsx";
import { WalletNavigation } from "../components/WalletNavigation.tsx";
import { useConsole } from "../context.ts";
import { usePoll } from "../hooks/usePoll.ts";
import { useResource } from "../hooks/useResource.ts";
import { isPromised, TYPE_NAMES, titleOf } from "../logic/describe.ts";
import type { PageProps } from "../page.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** A transaction: what happened, when and why, and its receipt. It is updated while it is open, also by what refers to it. */
export function TransactionPage({ params: { userId = "", id = "" } }: PageProps) {
  const { client } = useConsole();
  const wallet = useMemo(() => client.wallet(userId), [client, userId]);
  const {
    value: transaction,
    failure,
    reload,
    set,
  } = useResource((signal) => wallet.transaction(id, { signal }), [userId, id]);
  usePoll(async (signal) => {
    const read = await wallet.transaction(id, { signal });
    const hasChanged = JSON.stringify(read) !== JSON.stringify(transaction);
    if (hasChanged) set(read);
    return hasChanged;
  }, transaction !== undefined);
  return (
    <div class="stack receipt">
      <div class="page-heading">
        <PageHeading>{transaction ? headingOf(transaction) : "Transaction"}</PageHeading>
        {transaction && (
          <span role="status">
            <TransactionStatus transaction={transaction} />
          </span>
        )}
      </div>
      <WalletNavigation userId={userId} />
      {failure && <FailureMessage failure={failure} what="The transaction could not be read" onRetry={reload} />}
      {!transaction && !failure && <Loading what="the transaction" />}
      {transaction && <TransactionActions userId={userId} transaction={transaction} />}
      {transaction &&
        (isPromised(transaction) ? (
          <PromisedDetails holder={userId} transaction={transaction} />
        ) : (
          <TransactionDetails wallet={wallet} transaction={transaction} />
        ))}
    </div>
  );
}

function headingOf(transaction: Parameters<typeof isPromised>[0]): string {
  return isPromised(transaction) ? TYPE_NAMES[transaction.type] : titleOf(transaction);
}
