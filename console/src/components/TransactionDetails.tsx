import type { Transaction, Wallet } from "../../../packages/client/src/index.ts";
import { CopyText } from "./CopyText.tsx";
import { Pair, Pairs } from "./Pairs.tsx";
import { PostingsTable } from "./PostingsTable.tsx";
import { ReferringTransactions } from "./ReferringTransactions.tsx";
import { RelatedTransactions } from "./RelatedTransactions.tsx";
import { Timeline } from "./Timeline.tsx";

interface Props {
  readonly wallet: Wallet;
  readonly transaction: Transaction;
}

/** Everything about a transaction of the wallet. */
export function TransactionDetails({ wallet, transaction }: Props) {
  const { postings } = transaction;
  return (
    <>
      <section class="stack" aria-labelledby="timeline">
        <h2 id="timeline">What happened</h2>
        <Timeline transaction={transaction} />
      </section>
      {postings.length > 0 && (
        <section class="stack" aria-labelledby="postings">
          <h2 id="postings">Postings</h2>
          <PostingsTable postings={postings} />
        </section>
      )}
      <RelatedTransactions transaction={transaction} />
      <ReferringTransactions wallet={wallet} transaction={transaction} />
      <section class="stack" aria-labelledby="details">
        <h2 id="details">Details</h2>
        <Details transaction={transaction} />
      </section>
    </>
  );
}

function Details({ transaction }: Pick<Props, "transaction">) {
  const { id, userId, sequence, reference, metadata, hash, previousHash } = transaction;
  return (
    <div class="card">
      <Pairs>
        <Pair label="Wallet">{userId}</Pair>
        {reference !== null && <Pair label="Reference">{reference}</Pair>}
        {Object.entries(metadata).map(([key, value]) => (
          <Pair key={key} label={<code>{key}</code>}>
            {value}
          </Pair>
        ))}
        <Pair label="Id">
          <CopyText text={id} label="id" />
        </Pair>
        {sequence !== null && <Pair label="Decision">number {sequence} of this wallet</Pair>}
        {hash !== null && (
          <Pair label="Hash">
            <CopyText text={hash} label="hash" />
          </Pair>
        )}
        {previousHash !== null && (
          <Pair label="Previous hash">
            <CopyText text={previousHash} label="previous hash" />
          </Pair>
        )}
      </Pairs>
    </div>
  );
}
