import type { Attempt } from "../logic/attempt.ts";
import { COMMAND_NAMES } from "../logic/commandNames.ts";
import { commandHref } from "../logic/links.ts";
import { Badge } from "./Badge.tsx";

/** The commands of this window whose outcome is not known or was not seen yet, with links to their forms. */
export function UnfinishedCommands({ attempts }: { readonly attempts: readonly Attempt[] }) {
  const unfinished = attempts.filter(({ state }) => state !== "settled");
  if (unfinished.length === 0) return null;
  return (
    <section class="stack" aria-labelledby="unfinished">
      <h2 id="unfinished">In progress</h2>
      <ul class="entries">
        {unfinished.map((attempt) => {
          const { type, userId, refersTo, fields } = attempt.draft;
          return (
            <li key={attempt.idempotencyKey} class="entry">
              <div class="entry-title">
                <a href={commandHref(userId, type, refersTo)}>{COMMAND_NAMES[type].title}</a>
                <span class="entry-reference">
                  {[fields.amount, fields.amount && fields.currency, fields.to && `to ${fields.to}`]
                    .filter(Boolean)
                    .join(" ")}
                </span>
              </div>
              <div class="entry-status">
                <Progress attempt={attempt} />
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Progress({ attempt }: { readonly attempt: Attempt }) {
  if (attempt.state === "refused") return <Badge tone="bad">Not accepted</Badge>;
  const isUnknown = attempt.state === "unknown" || ("failure" in attempt && attempt.failure !== undefined);
  return isUnknown ? <Badge tone="bad">Unknown</Badge> : <Badge tone="open">Sending</Badge>;
}
