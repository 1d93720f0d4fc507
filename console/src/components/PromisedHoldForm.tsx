import { useForm } from "../hooks/useForm.ts";
import { isUserId } from "../logic/draft.ts";
import { transactionHref } from "../logic/links.ts";
import { navigate } from "../router.ts";
import { TextField } from "./TextField.tsx";

/** Opens a hold in the wallet of another user, who has promised it to this one and knows its id. */
export function PromisedHoldForm() {
  const form = useForm({ holder: "", id: "" });

  function open(event: Event) {
    event.preventDefault();
    const holder = (form.fields.holder ?? "").trim();
    const id = (form.fields.id ?? "").trim();
    const errors = {
      ...(!isUserId(holder) && { holder: "Enter the user id of the holder." }),
      ...(!/^tx_[A-Za-z0-9_-]{43}$/.test(id) && { id: "Enter the whole id of the hold: tx_ and 43 characters." }),
    };
    form.setErrors(errors);
    if (Object.keys(errors).length === 0) navigate(transactionHref(holder, id));
  }

  return (
    <section class="stack" aria-labelledby="promised-hold">
      <h2 id="promised-hold">A hold that is promised to you</h2>
      <p>It is in the wallet of its holder. Open it to capture or to release it.</p>
      <form ref={form.element} class="card stack" onSubmit={open} noValidate>
        <div class="field-row">
          <TextField form={form} name="holder" label="Holder" hint="User id of the one who made the hold" />
          <TextField form={form} name="id" label="Hold" hint="The id of the hold, such as tx_…" />
        </div>
        <div class="actions">
          <button type="submit">Open the hold</button>
        </div>
      </form>
    </section>
  );
}
