import type { Posting } from "../../../packages/client/src/index.ts";
import { Amount } from "./Amount.tsx";
import { ScrollArea } from "./ScrollArea.tsx";

/** What a transaction changed, with the balances after it. */
export function PostingsTable({ postings }: { readonly postings: readonly Posting[] }) {
  return (
    <ScrollArea label="Table of the postings">
      <table>
        <thead>
          <tr>
            <th scope="col">Currency</th>
            <th scope="col" class="amount">
              Change
            </th>
            <th scope="col" class="amount">
              Change of held
            </th>
            <th scope="col" class="amount">
              Balance after
            </th>
            <th scope="col" class="amount">
              Held after
            </th>
          </tr>
        </thead>
        <tbody>
          {postings.map(({ currency, amount, held, balanceAfter, heldAfter }) => (
            <tr key={currency}>
              <th scope="row">{currency}</th>
              <td class="amount">
                <Amount amount={amount} currency={currency} isChange />
              </td>
              <td class="amount">
                <Amount amount={held} currency={currency} />
              </td>
              <td class="amount">
                <Amount amount={balanceAfter} currency={currency} />
              </td>
              <td class="amount">
                <Amount amount={heldAfter} currency={currency} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollArea>
  );
}
