import type { StatementLine, StatementPage } from "../../../packages/client/src/index.ts";
import { TYPE_NAMES } from "../logic/describe.ts";
import { transactionHref } from "../logic/links.ts";
import { Amount } from "./Amount.tsx";
import { ScrollArea } from "./ScrollArea.tsx";
import { Time } from "./Time.tsx";

interface Props {
  readonly userId: string;
  readonly currency: string;
  readonly opening: Pick<StatementPage, "opening">;
  readonly lines: readonly StatementLine[];
}

/** The credits and debits, oldest first, with the balance after each. */
export function StatementLines({ userId, currency, opening: { opening }, lines }: Props) {
  return (
    <ScrollArea label="Table of the lines">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Transaction</th>
            <th scope="col" class="amount">
              Credit
            </th>
            <th scope="col" class="amount">
              Debit
            </th>
            <th scope="col" class="amount">
              Balance
            </th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <td />
            <td>Opening balance</td>
            <td />
            <td />
            <td class="amount">
              <Amount amount={opening} currency={currency} />
            </td>
          </tr>
          {lines.map(({ id, type, decidedAt, reference, credit, debit, balance }) => (
            <tr key={id}>
              <td>
                <Time at={decidedAt} />
              </td>
              <td>
                <a href={transactionHref(userId, id)}>{TYPE_NAMES[type]}</a> {reference}
              </td>
              <td class="amount">{credit !== null && <Amount amount={credit} currency={currency} />}</td>
              <td class="amount">{debit !== null && <Amount amount={debit} currency={currency} />}</td>
              <td class="amount">
                <Amount amount={balance} currency={currency} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollArea>
  );
}
