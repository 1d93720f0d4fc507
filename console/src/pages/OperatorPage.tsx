import { ServiceHealth } from "../components/ServiceHealth.tsx";
import { TextField } from "../components/TextField.tsx";
import { useForm } from "../hooks/useForm.ts";
import { isUserId } from "../logic/draft.ts";
import { walletHref } from "../logic/links.ts";
import { hrefTo, navigate } from "../router.ts";
import { PageHeading } from "../shell/PageHeading.tsx";

/** For operators: opens any wallet, and shows the health of the service. */
export function OperatorPage() {
  const form = useForm({ userId: "" });

  function open(event: Event) {
    event.preventDefault();
    const userId = (form.fields.userId ?? "").trim();
    if (isUserId(userId)) navigate(walletHref(userId));
    else form.setErrors({ userId: "Enter a user id: up to 128 letters, digits and the characters . _ : @ | -" });
  }

  return (
    <div class="stack">
      <PageHeading>Operator</PageHeading>
      <section class="stack" aria-labelledby="find-wallet">
        <h2 id="find-wallet">Find a wallet</h2>
        <form ref={form.element} class="card stack" onSubmit={open} noValidate>
          <TextField
            form={form}
            name="userId"
            label="User id"
            hint="Such as alice. A wallet opens with its first deposit."
          />
          <div class="actions">
            <button type="submit" class="primary">
              Open the wallet
            </button>
          </div>
        </form>
        <p class="hint">
          There you can exchange, freeze, close and reopen it, capture and release its holds, and reverse its
          transactions.
        </p>
      </section>
      <ServiceHealth />
      <section class="stack" aria-labelledby="webhooks">
        <h2 id="webhooks">Webhooks</h2>
        <p>
          <a href={hrefTo(["webhooks"])}>The endpoints that receive events</a>, and their state
        </p>
      </section>
    </div>
  );
}
