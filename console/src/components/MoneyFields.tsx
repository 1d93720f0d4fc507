import { type Balance, type Currency, formatAmount } from "../../../packages/client/src/index.ts";
import type { Form } from "../hooks/useForm.ts";
import { SelectField } from "./SelectField.tsx";
import { TextField } from "./TextField.tsx";

interface Props {
  readonly form: Form;
  readonly currencies: readonly Currency[];
  /** Given for money that leaves the wallet: says how much of it is available. */
  readonly balances?: readonly Balance[];
  /** Start of the fields' names, such as `sell.` */
  readonly prefix?: "" | "sell." | "buy.";
  readonly label?: string;
}

/** An amount and its currency. */
export function MoneyFields({ form, currencies, balances = [], prefix = "", label = "Amount" }: Props) {
  const options = currencies.map(({ code, name }) => ({ value: code, label: `${code} – ${name}` }));
  const balance = balances.find(({ currency }) => currency === form.fields[`${prefix}currency`]);
  const hint = balance && `Available: ${formatAmount(balance.available, balance.currency)}`;
  return (
    <div class="field-row">
      <TextField form={form} name={`${prefix}amount`} label={label} inputMode="decimal" hint={hint} />
      <SelectField
        form={form}
        name={`${prefix}currency`}
        label={prefix === "" ? "Currency" : `Currency of ${label.toLowerCase()}`}
        options={options}
      />
    </div>
  );
}
