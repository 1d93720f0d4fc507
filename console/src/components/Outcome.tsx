import type { PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import { useOpenWallet } from "../hooks/useOpenWallet.ts";
import { isPromised, TYPE_NAMES, titleOf } from "../logic/describe.ts";
import { transactionHref, walletHref } from "../logic/links.ts";
import { SENTENCES } from "../logic/problem.ts";
import { Amount } from "./Amount.tsx";
import { Pair, Pairs } from "./Pairs.tsx";

interface Props {
  readonly userId: string;
  readonly transaction: Transaction | PromisedTransaction;
}

/** The outcome of a command in words, with the balances after it. */
export function Outcome({ userId, transaction }: Props) {
  const { id, status, rejection, currency, amount } = transaction;
  const home = useOpenWallet(userId);
  const postings = isPromised(transaction) ? [] : transaction.postings;
  return (
    <>
      {status === "rejected" ? (
        <p class="problem">{rejection && SENTENCES[rejection.code]}</p>
      ) : (
        <p class="success">
          {isPromised(transaction) ? TYPE_NAMES[transaction.type] : titleOf(transaction)}
          {currency !== null && amount !== null && (
            <>
              : <Amount amount={amount} currency={currency} />
            </>
          )}
        </p>
      )}
      {"transfer" in transaction && transaction.transfer?.status === "returned" && (
        <p>The wallet of {transaction.transfer.to} did not accept the money, so it was returned.</p>
      )}
      {postings.length > 0 && (
        <Pairs>
          {postings.map(({ currency, balanceAfter }) => (
            <Pair key={currency} label={`New balance in ${currency}`}>
              <Amount amount={balanceAfter} currency={currency} />
            </Pair>
          ))}
        </Pairs>
      )}
      <p>
        <a href={transactionHref(userId, id)}>Open the transaction</a> ·{" "}
        <a href={walletHref(home)}>Back to the wallet</a>
      </p>
    </>
  );
}
