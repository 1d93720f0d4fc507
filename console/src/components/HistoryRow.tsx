import type { Transaction } from "../../../packages/client/src/index.ts";
import { isZero } from "../logic/amount.ts";
import { titleOf } from "../logic/describe.ts";
import { transactionHref } from "../logic/links.ts";
import { Amount } from "./Amount.tsx";
import { Time } from "./Time.tsx";
import { TransactionStatus } from "./TransactionStatus.tsx";

interface Props {
  readonly transaction: Transaction;
  /** True if it arrived while the page was open. */
  readonly isNew: boolean;
}

/** A transaction in the history: what it is, what it changed, and the balance after it. */
export function HistoryRow({ transaction, isNew }: Props) {
  const { id, userId, createdAt, decidedAt, reference, postings } = transaction;
  return (
    <li class={isNew ? "entry entry-new" : "entry"}>
      <div class="entry-title">
        <a href={transactionHref(userId, id)}>{titleOf(transaction)}</a>
        {reference !== null && <span class="entry-reference">{reference}</span>}
      </div>
      <div class="entry-time">
        <Time at={decidedAt ?? createdAt} />
      </div>
      <div class="entry-status">
        <TransactionStatus transaction={transaction} />
      </div>
      <div class="entry-amounts">
        {postings.length === 0 && <RequestedAmount transaction={transaction} />}
        {postings.map(({ currency, amount, held, balanceAfter }) => (
          <div key={currency} class="entry-posting">
            <span class="entry-change">
              {isZero(amount) ? (
                <>
                  <span class="entry-label">Held </span>
                  <Amount amount={held} currency={currency} isChange isNeutral />
                </>
              ) : (
                <Amount amount={amount} currency={currency} isChange />
              )}
            </span>
            <span class="entry-balance">
              <span class="entry-label">Balance </span>
              <Amount amount={balanceAfter} currency={currency} />
            </span>
          </div>
        ))}
      </div>
    </li>
  );
}

/** What was asked for and did not happen. */
function RequestedAmount({ transaction: { currency, amount } }: Pick<Props, "transaction">) {
  if (currency === null || amount === null) return null;
  return (
    <s class="entry-change">
      <Amount amount={amount} currency={currency} />
    </s>
  );
}
