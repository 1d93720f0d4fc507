import { formatAmount } from "../../../packages/client/src/index.ts";
import { isNegative, isZero } from "../logic/amount.ts";

interface Props {
  /** A decimal string of the API. */
  readonly amount: string;
  readonly currency: string;
  /** For a change: shows the plus of what comes in. */
  readonly isChange?: boolean;
  /** For a change that is no income, such as of what is held: not in the colour of income. */
  readonly isNeutral?: boolean;
}

/** An amount as people of the browser's locale write it, with all its digits. */
export function Amount({ amount, currency, isChange = false, isNeutral = false }: Props) {
  const isIncoming = isChange && !isNegative(amount) && !isZero(amount);
  return (
    <span class={isIncoming && !isNeutral ? "amount incoming" : "amount"}>
      {isIncoming && "+"}
      {formatAmount(amount, currency)}
    </span>
  );
}
