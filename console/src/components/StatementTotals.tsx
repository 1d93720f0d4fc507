import { Amount } from "./Amount.tsx";
import { Time } from "./Time.tsx";

interface Props {
  readonly currency: string;
  readonly opening: string;
  readonly credits: string;
  readonly debits: string;
  readonly closing: string;
  /** The time of the last line that was read, if there are more; ISO 8601. */
  readonly until: string | undefined;
}

/** Opening balance + credits − debits = closing balance. */
export function StatementTotals({ currency, opening, credits, debits, closing, until }: Props) {
  const totals = [
    { label: "Opening balance", amount: opening },
    { label: "Credits", amount: credits },
    { label: "Debits", amount: debits },
    { label: "Closing balance", amount: closing },
  ];
  return (
    <>
      <dl class="totals">
        {totals.map(({ label, amount }) => (
          <div key={label} class="card">
            <dt>{label}</dt>
            <dd>
              <Amount amount={amount} currency={currency} />
            </dd>
          </div>
        ))}
      </dl>
      {until !== undefined && (
        <p class="hint">
          Up to <Time at={until} />. Show more to include the later lines.
        </p>
      )}
    </>
  );
}
