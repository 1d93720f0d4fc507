import type { Transaction, Wallet } from "../../../packages/client/src/index.ts";
import { useResource } from "../hooks/useResource.ts";
import { findReferring, referringTypes } from "../logic/referring.ts";
import { FailureMessage } from "./FailureMessage.tsx";
import { HistoryRow } from "./HistoryRow.tsx";
import { Loading } from "./Loading.tsx";

interface Props {
  readonly wallet: Wallet;
  readonly transaction: Transaction;
}

/** The captures, releases or reversals of a transaction. */
export function ReferringTransactions({ wallet, transaction }: Props) {
  return referringTypes(transaction).length > 0 ? <Found wallet={wallet} transaction={transaction} /> : null;
}

function Found({ wallet, transaction }: Props) {
  const { value, failure, reload } = useResource(
    (signal) => findReferring(wallet, transaction, signal),
    [transaction.userId, transaction.id, "hold" in transaction ? transaction.hold : null],
  );
  return (
    <section class="stack" aria-labelledby="referring">
      <h2 id="referring">What refers to it</h2>
      {failure && <FailureMessage failure={failure} onRetry={reload} />}
      {!value && !failure && <Loading what="the history" />}
      {value && value.transactions.length > 0 && (
        <ul class="entries">
          {value.transactions.map((each) => (
            <HistoryRow key={each.id} transaction={each} isNew={false} />
          ))}
        </ul>
      )}
      {value?.isComplete === false && <p class="hint">The history is long: more of them can be in its later part.</p>}
    </section>
  );
}
