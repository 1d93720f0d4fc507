import { useState } from "preact/hooks";
import type { TransactionType } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { useAction } from "../hooks/useAction.ts";
import { useForm } from "../hooks/useForm.ts";
import { TRANSACTION_TYPES, TYPE_NAMES } from "../logic/describe.ts";
import { FailureMessage } from "./FailureMessage.tsx";
import type { ShownSecret } from "./SecretNotice.tsx";
import { TextField } from "./TextField.tsx";

const EMPTY = { url: "", description: "" };

/** Creates a webhook endpoint. */
export function EndpointForm({ onCreated }: { onCreated(shown: ShownSecret): void }) {
  const { webhooks } = useConsole().client;
  const form = useForm(EMPTY);
  const { run, isRunning, failure, message } = useAction();
  const [types, setTypes] = useState<readonly TransactionType[]>([]);

  function create(event: Event) {
    event.preventDefault();
    const url = (form.fields.url ?? "").trim();
    const description = (form.fields.description ?? "").trim() || undefined;
    if (!URL.canParse(url)) return form.setErrors({ url: "Enter a whole URL, such as https://example.com/antler." });
    return run(async () => {
      const chosen = types.length > 0 ? types : undefined;
      const endpoint = await webhooks.create({ url, types: chosen, description });
      onCreated(endpoint);
      form.set("url", "");
      form.set("description", "");
      setTypes([]);
      return "The endpoint is created.";
    });
  }

  const toggle = (type: TransactionType) =>
    setTypes((chosen) => (chosen.includes(type) ? chosen.filter((each) => each !== type) : [...chosen, type]));

  return (
    <section class="stack" aria-labelledby="new-endpoint">
      <h2 id="new-endpoint">New endpoint</h2>
      {failure && <FailureMessage failure={failure} what="The endpoint was not created" />}
      <p role="status" class="hint">
        {message}
      </p>
      <form ref={form.element} class="card stack" onSubmit={create} noValidate>
        <TextField form={form} name="url" label="URL" inputMode="url" hint="https with port 443 and a public host" />
        <TextField form={form} name="description" label="Description" isOptional />
        <fieldset class="stack">
          <legend>Events (without a choice, all)</legend>
          <div class="checks">
            {TRANSACTION_TYPES.map((type) => (
              <label key={type} class="check">
                <input type="checkbox" checked={types.includes(type)} onChange={() => toggle(type)} />
                {TYPE_NAMES[type]}
              </label>
            ))}
          </div>
        </fieldset>
        <div class="actions">
          <button type="submit" class="primary" disabled={isRunning}>
            Create the endpoint
          </button>
        </div>
      </form>
    </section>
  );
}
