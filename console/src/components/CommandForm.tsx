import { useEffect } from "preact/hooks";
import type { Balance, Currency } from "../../../packages/client/src/index.ts";
import { useForm } from "../hooks/useForm.ts";
import type { CommandNames } from "../logic/commandNames.ts";
import { type Draft, type FieldErrors, type Fields, findFieldErrors } from "../logic/draft.ts";
import { type Failure, fieldOf } from "../logic/problem.ts";
import type { Slot } from "../logic/slot.ts";
import { CommandFields } from "./CommandFields.tsx";
import { DetailsFields } from "./DetailsFields.tsx";

interface Props {
  readonly slot: Slot;
  readonly names: CommandNames;
  /** What the fields have at first. */
  readonly initial: Fields;
  readonly currencies: readonly Currency[];
  /** Empty if the user may not read them. */
  readonly balances: readonly Balance[];
  /** Why the ledger did not accept the fields. */
  readonly failure: Failure | undefined;
  /** True if it is shown in the place of something that had the focus. */
  readonly takesFocus: boolean;
  onSubmit(draft: Draft): void;
}

/** The form of any command. It checks the fields first, and takes the focus to the first one that is wrong. */
export function CommandForm({ slot, initial, currencies, balances, names, failure, takesFocus, onSubmit }: Props) {
  const form = useForm(initial);
  const { element } = form;
  useEffect(() => {
    if (takesFocus) element.current?.querySelector<HTMLElement>("input, select, textarea, button")?.focus();
  }, []);
  useEffect(() => {
    if (failure) form.setErrors(errorsOf(failure));
  }, [failure]);

  function submit(event: Event) {
    event.preventDefault();
    const draft = { ...slot, fields: form.fields };
    const errors = findFieldErrors(draft, currencies);
    form.setErrors(errors);
    if (Object.keys(errors).length === 0) onSubmit(draft);
  }

  return (
    <form ref={element} class="card stack" onSubmit={submit} noValidate>
      <CommandFields type={slot.type} form={form} currencies={currencies} balances={balances} />
      <DetailsFields form={form} />
      <div class="actions">
        <button type="submit" class="primary">
          {names.submit}
        </button>
      </div>
    </form>
  );
}

function errorsOf({ errors }: Failure): FieldErrors {
  return Object.fromEntries(errors.map((error) => [fieldOf(error) ?? "", sentenceOf(error.detail)]));
}

/** The API's details are parts of sentences, such as `must be a string`. */
function sentenceOf(detail: string): string {
  return `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
}
