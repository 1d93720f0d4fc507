import type { Balance } from "../../../packages/client/src/index.ts";
import { isZero } from "../logic/amount.ts";
import { statementHref } from "../logic/links.ts";
import { Amount } from "./Amount.tsx";
import { Pair, Pairs } from "./Pairs.tsx";

interface Props {
  readonly userId: string;
  readonly balances: readonly Balance[];
}

/** The balance of each currency, with what of it is held and available. */
export function BalanceCards({ userId, balances }: Props) {
  return (
    <ul class="balances">
      {balances.map(({ currency, amount, held, available }) => (
        <li key={currency} class="card balance">
          <h3>
            <a class="balance-currency" href={statementHref(userId, { currency })} title={`Statement in ${currency}`}>
              {currency}
            </a>
          </h3>
          <p class="balance-amount">
            <Amount amount={amount} currency={currency} />
          </p>
          {!isZero(held) && (
            <Pairs>
              <Pair label="Available">
                <Amount amount={available} currency={currency} />
              </Pair>
              <Pair label="Held">
                <Amount amount={held} currency={currency} />
              </Pair>
            </Pairs>
          )}
        </li>
      ))}
    </ul>
  );
}
