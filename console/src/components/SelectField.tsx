import type { Form } from "../hooks/useForm.ts";
import { Field } from "./Field.tsx";

interface Option {
  readonly value: string;
  readonly label: string;
}

interface Props {
  readonly form: Form;
  readonly name: string;
  readonly label: string;
  readonly options: readonly Option[];
  readonly hint?: string;
}

/** A choice in a form. */
export function SelectField({ form, name, label, options, hint }: Props) {
  return (
    <Field label={label} hint={hint} error={form.errors[name]}>
      {(attributes) => (
        <select {...attributes} name={name} onChange={({ currentTarget }) => form.set(name, currentTarget.value)}>
          {options.map(({ value, label }) => (
            <option key={value} value={value} selected={form.fields[name] === value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
