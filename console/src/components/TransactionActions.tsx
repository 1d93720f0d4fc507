import type { PromisedTransaction, Transaction } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { namesOf } from "../logic/commandNames.ts";
import { isPromised } from "../logic/describe.ts";
import { commandHref } from "../logic/links.ts";
import { canCapture, canReverse } from "../logic/permissions.ts";
import { HoldActions } from "./HoldActions.tsx";

interface Props {
  /** The user whose wallet has the transaction. */
  readonly userId: string;
  readonly transaction: Transaction | PromisedTransaction;
}

/** What the user can do with a transaction. */
export function TransactionActions({ userId, transaction }: Props) {
  const { isOperator } = useConsole();
  return (
    <div class="actions no-print">
      {canCapture(transaction, isOperator) && <HoldActions userId={userId} holdId={transaction.id} />}
      {!isPromised(transaction) && canReverse(transaction, isOperator) && (
        <a class="button" href={commandHref(userId, "reversal", transaction.id)}>
          {namesOf("reversal", transaction.type).title}
        </a>
      )}
      <button type="button" onClick={() => print()}>
        Print the receipt
      </button>
    </div>
  );
}
