import type { PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import { subtract } from "../logic/amount.ts";
import { isPromised, TYPE_NAMES, titleOf } from "../logic/describe.ts";
import { Amount } from "./Amount.tsx";
import { Time } from "./Time.tsx";

/** What a capture, a release or a refund is about, and what is left of it. */
export function ReferredTransaction({ transaction }: { readonly transaction: Transaction | PromisedTransaction }) {
  const { createdAt, currency, amount } = transaction;
  const left = remainderOf(transaction);
  return (
    <div class="card">
      <p>
        <strong>{isPromised(transaction) ? TYPE_NAMES[transaction.type] : titleOf(transaction)}</strong>
        {currency !== null && amount !== null && (
          <>
            {" of "}
            <Amount amount={amount} currency={currency} />
          </>
        )}
        , <Time at={createdAt} />
      </p>
      {currency !== null && left !== null && (
        <p>
          Left: <Amount amount={left} currency={currency} />
        </p>
      )}
    </div>
  );
}

/** What can still be captured or reversed; null if nothing can. */
function remainderOf(transaction: Transaction | PromisedTransaction): string | null {
  if (transaction.type === "hold") return transaction.hold?.remaining ?? null;
  const { amount } = transaction;
  const reversed = "reversed" in transaction ? transaction.reversed : null;
  return amount === null || reversed === null ? null : subtract(amount, reversed);
}
