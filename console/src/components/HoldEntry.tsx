import type { Hold } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { titleOf } from "../logic/describe.ts";
import { transactionHref } from "../logic/links.ts";
import { canCapture } from "../logic/permissions.ts";
import { Amount } from "./Amount.tsx";
import { HoldActions } from "./HoldActions.tsx";
import { Time } from "./Time.tsx";

/** An open hold, with what the user can do with it. */
export function HoldEntry({ hold }: { readonly hold: Hold }) {
  const { isOperator } = useConsole();
  const { id, userId, currency, amount, reference } = hold;
  const { remaining, expiresAt, to } = hold.hold;
  return (
    <li class="entry">
      <div class="entry-title">
        <a href={transactionHref(userId, id)}>{titleOf(hold)}</a>
        {reference !== null && <span class="entry-reference">{reference}</span>}
      </div>
      <div class="entry-time">
        Expires <Time at={expiresAt} />
      </div>
      <div class="entry-amounts">
        <span class="entry-change">
          <Amount amount={remaining ?? amount} currency={currency} />
        </span>
        {remaining !== null && remaining !== amount && (
          <span class="entry-balance">
            of <Amount amount={amount} currency={currency} />
          </span>
        )}
      </div>
      <div class="entry-actions actions">
        {canCapture(hold, isOperator) ? (
          <HoldActions userId={userId} holdId={id} />
        ) : (
          <span class="hint">Only {to} can capture or release it.</span>
        )}
      </div>
    </li>
  );
}
