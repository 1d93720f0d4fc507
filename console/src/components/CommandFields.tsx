import type { Balance, Currency } from "../../../packages/client/src/index.ts";
import type { Form } from "../hooks/useForm.ts";
import type { CommandType } from "../logic/draft.ts";
import { Field } from "./Field.tsx";
import { MoneyFields } from "./MoneyFields.tsx";
import { SelectField } from "./SelectField.tsx";
import { TextField } from "./TextField.tsx";

interface Props {
  readonly type: CommandType;
  readonly form: Form;
  readonly currencies: readonly Currency[];
  readonly balances: readonly Balance[];
}

const STATUSES = [
  { value: "active", label: "Active" },
  { value: "frozen", label: "Frozen" },
  { value: "closed", label: "Closed" },
];

/** The fields that a command has of its own. */
export function CommandFields({ type, form, currencies, balances }: Props) {
  switch (type) {
    case "deposit":
      return <MoneyFields form={form} currencies={currencies} />;
    case "withdrawal":
      return <MoneyFields form={form} currencies={currencies} balances={balances} />;
    case "transfer":
      return (
        <>
          <TextField form={form} name="to" label="Receiver" hint="The user id of the receiver, such as bob" />
          <MoneyFields form={form} currencies={currencies} balances={balances} />
        </>
      );
    case "hold":
      return (
        <>
          <MoneyFields form={form} currencies={currencies} balances={balances} />
          <TextField
            form={form}
            name="to"
            label="Promised to"
            isOptional
            hint="User id of the one who can capture it"
          />
          <ExpiryField form={form} />
        </>
      );
    case "capture":
      return (
        <>
          <PartField form={form} hint="Without it, all that remains of the hold" />
          <label class="check">
            <input
              type="checkbox"
              name="final"
              checked={form.fields.final !== "false"}
              onChange={({ currentTarget }) => form.set("final", String(currentTarget.checked))}
            />
            Make the rest available again
          </label>
        </>
      );
    case "reversal":
      return <PartField form={form} hint="Without it, all that is left to reverse; of an exchange always the whole" />;
    case "exchange":
      return (
        <>
          <MoneyFields form={form} currencies={currencies} balances={balances} prefix="sell." label="Amount to sell" />
          <MoneyFields form={form} currencies={currencies} prefix="buy." label="Amount to buy" />
        </>
      );
    case "status_change":
      return <SelectField form={form} name="status" label="New status" options={STATUSES} />;
    case "release":
      return null;
  }
}

function PartField({ form, hint }: { readonly form: Form; readonly hint: string }) {
  return <TextField form={form} name="amount" label="Amount" inputMode="decimal" isOptional hint={hint} />;
}

function ExpiryField({ form }: { readonly form: Form }) {
  return (
    <Field label="Expires" isOptional hint="In your time zone; without it, after 7 days" error={form.errors.expiresAt}>
      {(attributes) => (
        <input
          {...attributes}
          type="datetime-local"
          name="expiresAt"
          value={form.fields.expiresAt ?? ""}
          onInput={({ currentTarget }) => form.set("expiresAt", currentTarget.value)}
        />
      )}
    </Field>
  );
}
