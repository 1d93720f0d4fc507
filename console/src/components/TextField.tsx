import type { Form } from "../hooks/useForm.ts";
import { Field } from "./Field.tsx";

interface Props {
  readonly form: Form;
  readonly name: string;
  readonly label: string;
  readonly hint?: string | undefined;
  readonly isOptional?: boolean;
  readonly inputMode?: "decimal" | "url";
}

/** A line of text in a form. Ids and amounts are no words, so the browser neither corrects nor completes them. */
export function TextField({ form, name, label, hint, isOptional = false, inputMode }: Props) {
  return (
    <Field label={label} hint={hint} error={form.errors[name]} isOptional={isOptional}>
      {(attributes) => (
        <input
          {...attributes}
          type="text"
          name={name}
          inputMode={inputMode}
          autoComplete="off"
          autoCapitalize="none"
          spellcheck={false}
          value={form.fields[name] ?? ""}
          onInput={({ currentTarget }) => form.set(name, currentTarget.value)}
        />
      )}
    </Field>
  );
}
