import type { Form } from "../hooks/useForm.ts";
import { Field } from "./Field.tsx";
import { TextField } from "./TextField.tsx";

/** What every command can have: the user's own reference and metadata. */
export function DetailsFields({ form }: { readonly form: Form }) {
  return (
    <>
      <TextField form={form} name="reference" label="Reference" isOptional hint="Such as an invoice number" />
      <Field
        label="Metadata"
        isOptional
        error={form.errors.metadata}
        hint="Your own key-value pairs, one a line, such as orderId = A-1001"
      >
        {(attributes) => (
          <textarea
            {...attributes}
            name="metadata"
            rows={2}
            spellcheck={false}
            value={form.fields.metadata ?? ""}
            onInput={({ currentTarget }) => form.set("metadata", currentTarget.value)}
          />
        )}
      </Field>
    </>
  );
}
