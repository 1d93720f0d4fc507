import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Attempt } from "../logic/attempt.ts";
import { FailureMessage } from "./FailureMessage.tsx";
import { Outcome } from "./Outcome.tsx";

interface Props {
  readonly attempt: Attempt;
  onRetry(): void;
  /** Forgets the command. */
  onForget(): void;
  /** Shows the form again with what was entered. */
  onChange(): void;
}

/** What is known of a command that was sent. It takes the focus whenever that changes. */
export function AttemptPanel({ attempt, onRetry, onForget, onChange }: Props) {
  switch (attempt.state) {
    case "sending":
      return (
        <Panel title="Sending…">
          <p>You can leave this page: the command continues.</p>
        </Panel>
      );
    case "accepted":
      return attempt.failure ? (
        <Panel title="The outcome could not be read yet">
          <FailureMessage failure={attempt.failure} what="The ledger has the command" />
          <button type="button" class="primary" onClick={onRetry}>
            Check again
          </button>
        </Panel>
      ) : (
        <Panel title="The ledger has the command">
          <p>It decides in a moment.</p>
        </Panel>
      );
    case "unknown":
      return (
        <Panel title="It is not certain that the ledger has the command">
          {attempt.failure && <FailureMessage failure={attempt.failure} />}
          <p>Send it again: it keeps its idempotency key, so it takes effect at most once.</p>
          <p class="hint">If you forget it, check the history before you enter it again.</p>
          <div class="actions">
            <button type="button" class="primary" onClick={onRetry}>
              Send again
            </button>
            <button type="button" onClick={onForget}>
              Forget it
            </button>
          </div>
        </Panel>
      );
    case "settled":
      return (
        <Panel title={attempt.transaction.status === "rejected" ? "Rejected" : "Done"}>
          <Outcome userId={attempt.draft.userId} transaction={attempt.transaction} />
          <div class="actions">
            {attempt.transaction.status === "rejected" && (
              <button type="button" class="primary" onClick={onChange}>
                Change and send again
              </button>
            )}
            <button type="button" onClick={onForget}>
              Enter another
            </button>
          </div>
        </Panel>
      );
    case "refused":
      return <FailureMessage failure={attempt.failure} what="The ledger did not accept the command" />;
  }
}

function Panel({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [title]);
  return (
    <section class="card stack">
      <h2 ref={heading} tabIndex={-1}>
        {title}
      </h2>
      {children}
    </section>
  );
}
