import { useState } from "preact/hooks";
import type { Endpoint } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { useAction } from "../hooks/useAction.ts";
import { TYPE_NAMES } from "../logic/describe.ts";
import { Badge } from "./Badge.tsx";
import { FailureMessage } from "./FailureMessage.tsx";
import { Pair, Pairs } from "./Pairs.tsx";
import type { ShownSecret } from "./SecretNotice.tsx";
import { Time } from "./Time.tsx";

interface Props {
  readonly endpoint: Endpoint;
  /** The endpoint was changed or deleted. */
  onChange(): void;
  onSecret(shown: ShownSecret): void;
}

/** A webhook endpoint with its state, and the buttons that change it. */
export function EndpointCard({ endpoint, onChange, onSecret }: Props) {
  const { id, url, status, description, types, disabledReason, lastSuccess, lastFailure } = endpoint;
  return (
    <article class="card stack" aria-label={url}>
      <div class="page-heading">
        <h3>{url}</h3>
        <Badge tone={status === "enabled" ? "good" : "bad"}>{status === "enabled" ? "Enabled" : "Disabled"}</Badge>
      </div>
      {description !== null && <p>{description}</p>}
      {disabledReason !== null && (
        <p>
          The ledger disabled it, because it answered {disabledReason}. Enable it when it is ready for events again.
        </p>
      )}
      <Pairs>
        <Pair label="Events">{types === null ? "All" : types.map((type) => TYPE_NAMES[type]).join(", ")}</Pair>
        <Pair label="Last success">{lastSuccess ? <Time at={lastSuccess.at} /> : "None yet"}</Pair>
        <Pair label="Last failure">
          {lastFailure ? (
            <>
              <Time at={lastFailure.at} />: {lastFailure.reason}
            </>
          ) : (
            "None"
          )}
        </Pair>
        <Pair label="Id">
          <code>{id}</code>
        </Pair>
      </Pairs>
      <EndpointActions endpoint={endpoint} onChange={onChange} onSecret={onSecret} />
    </article>
  );
}

function EndpointActions({ endpoint: { id, url, status }, onChange, onSecret }: Props) {
  const { webhooks } = useConsole().client;
  const { run, isRunning, failure, message } = useAction();
  const [isDeleting, setDeleting] = useState(false);
  const isEnabled = status === "enabled";

  const setEnabled = () =>
    run(async () => {
      await (isEnabled ? webhooks.disable(id) : webhooks.enable(id));
      onChange();
      return isEnabled ? "It is disabled: its events are dropped." : "It is enabled.";
    });
  const rotate = () =>
    run(async () => {
      onSecret({ url, ...(await webhooks.rotateSecret(id)) });
      return "For 24 hours, deliveries are signed with the new and the old secret.";
    });
  const test = () =>
    run(async () => {
      const { webhookId } = await webhooks.sendTestEvent(id);
      return `A test event was sent. Its header webhook-id is ${webhookId}.`;
    });
  const remove = () =>
    run(async () => {
      await webhooks.delete(id);
      onChange();
      return "It is deleted.";
    });

  return (
    <>
      {failure && <FailureMessage failure={failure} />}
      <p role="status" class="hint">
        {message}
      </p>
      {isDeleting ? (
        <fieldset class="actions" disabled={isRunning}>
          <legend>Delete it? Its events are not sent any more.</legend>
          <button type="button" class="danger" onClick={remove}>
            Delete
          </button>
          <button type="button" onClick={() => setDeleting(false)}>
            Keep it
          </button>
        </fieldset>
      ) : (
        <fieldset class="actions" disabled={isRunning}>
          <legend class="visually-hidden">Change {url}</legend>
          <button type="button" onClick={setEnabled}>
            {isEnabled ? "Disable" : "Enable"}
          </button>
          {isEnabled && (
            <button type="button" onClick={test}>
              Send a test event
            </button>
          )}
          <button type="button" onClick={rotate}>
            New secret
          </button>
          <button type="button" class="danger" onClick={() => setDeleting(true)}>
            Delete…
          </button>
        </fieldset>
      )}
    </>
  );
}
