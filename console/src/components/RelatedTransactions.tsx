import type { Transaction } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { transactionHref } from "../logic/links.ts";
import { Pair, Pairs } from "./Pairs.tsx";

interface Related {
  readonly label: string;
  readonly userId: string;
  readonly id: string;
}

/** The transactions that this one names. Those of other wallets are links for operators only. */
export function RelatedTransactions({ transaction }: { readonly transaction: Transaction }) {
  const { isOperator, userId: caller } = useConsole();
  const related = relatedTo(transaction);
  if (related.length === 0) return null;
  return (
    <section class="stack" aria-labelledby="related">
      <h2 id="related">Related transactions</h2>
      <div class="card">
        <Pairs>
          {related.map(({ label, userId, id }) => (
            <Pair key={id} label={label}>
              <code>
                {isOperator || userId === caller || userId === transaction.userId ? (
                  <a href={transactionHref(userId, id)}>{id}</a>
                ) : (
                  id
                )}
              </code>
            </Pair>
          ))}
        </Pairs>
      </div>
    </section>
  );
}

function relatedTo(transaction: Transaction): readonly Related[] {
  const { userId, type } = transaction;
  const related: Related[] = [];
  if ("refersTo" in transaction && transaction.refersTo !== null) {
    const label = type === "reversal" ? "Reverses" : type === "credit" ? "Refund that came back" : "Hold";
    related.push({ label, userId, id: transaction.refersTo });
  }
  if ("transfer" in transaction && transaction.transfer?.creditId) {
    const { to, creditId } = transaction.transfer;
    related.push({ label: `Credit in the wallet of ${to}`, userId: to, id: creditId });
  }
  if (type === "credit") {
    const { source } = transaction;
    related.push({
      label: `Comes from the wallet of ${source.userId}`,
      userId: source.userId,
      id: source.transactionId,
    });
  }
  return related;
}
