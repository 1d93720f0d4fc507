import type { PromisedTransaction } from "../../../packages/client/src/index.ts";
import { HOLD_NAMES } from "../logic/describe.ts";
import { SENTENCES } from "../logic/problem.ts";
import { Amount } from "./Amount.tsx";
import { CopyText } from "./CopyText.tsx";
import { Pair, Pairs } from "./Pairs.tsx";
import { Time } from "./Time.tsx";

interface Props {
  /** The user whose wallet has the hold. */
  readonly holder: string;
  readonly transaction: PromisedTransaction;
}

/** A hold that is promised to the user, or the user's own capture or release of one. */
export function PromisedDetails({ holder, transaction }: Props) {
  const { id, createdAt, decidedAt, currency, amount, rejection, hold } = transaction;
  return (
    <section class="card" aria-label="Details">
      <Pairs>
        <Pair label="Holder">{holder}</Pair>
        {amount !== null && (
          <Pair label="Amount">
            <Amount amount={amount} currency={currency} />
          </Pair>
        )}
        {hold?.status && <Pair label="State">{HOLD_NAMES[hold.status]}</Pair>}
        {hold && hold.remaining !== null && (
          <Pair label="Left">
            <Amount amount={hold.remaining} currency={currency} />
          </Pair>
        )}
        {hold && (
          <Pair label="Expires">
            <Time at={hold.expiresAt} />
          </Pair>
        )}
        <Pair label="Requested">
          <Time at={createdAt} />
        </Pair>
        {decidedAt !== null && (
          <Pair label="Decided">
            <Time at={decidedAt} />
          </Pair>
        )}
        {rejection && <Pair label="Rejected">{SENTENCES[rejection.code]}</Pair>}
        <Pair label="Id">
          <CopyText text={id} label="id" />
        </Pair>
      </Pairs>
    </section>
  );
}
