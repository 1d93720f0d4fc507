import { useState } from "preact/hooks";
import { EmptyState } from "../components/EmptyState.tsx";
import { EndpointCard } from "../components/EndpointCard.tsx";
import { EndpointForm } from "../components/EndpointForm.tsx";
import { FailureMessage } from "../components/FailureMessage.tsx";
import { Loading } from "../components/Loading.tsx";
import { SecretNotice, type ShownSecret } from "../components/SecretNotice.tsx";
import { useConsole } from "../context.ts";
import { useResource } from "../hooks/useResource.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** The webhook endpoints: their state, and what an operator can do with them. */
export function WebhooksPage() {
  const { client } = useConsole();
  const { value: endpoints, failure, reload } = useResource((signal) => client.webhooks.list({ signal }), []);
  const [secret, setSecret] = useState<ShownSecret>();

  function show(shown: ShownSecret) {
    setSecret(shown);
    reload();
  }

  return (
    <div class="stack">
      <PageHeading>Webhooks</PageHeading>
      <p>An endpoint is a URL to which the ledger sends every decision, signed with the endpoint's secret.</p>
      {secret && <SecretNotice shown={secret} onClose={() => setSecret(undefined)} />}
      {failure && <FailureMessage failure={failure} what="The endpoints could not be read" onRetry={reload} />}
      {!endpoints && !failure && <Loading what="the endpoints" />}
      {endpoints && (
        <section class="stack" aria-labelledby="endpoints">
          <h2 id="endpoints">Endpoints</h2>
          {endpoints.length === 0 && (
            <EmptyState title="No endpoints yet">
              <p>Enter the URL of your service below. The ledger shows the secret once.</p>
            </EmptyState>
          )}
          {endpoints.map((endpoint) => (
            <EndpointCard key={endpoint.id} endpoint={endpoint} onChange={reload} onSecret={show} />
          ))}
        </section>
      )}
      <EndpointForm onCreated={show} />
    </div>
  );
}
