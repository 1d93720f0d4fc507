import { useId, useState } from "preact/hooks";
import { useCurrencies } from "../hooks/useCurrencies.ts";
import { TYPE_NAMES } from "../logic/describe.ts";
import { type Filters, hasFilters } from "../logic/filters.ts";

interface Props {
  readonly filters: Filters;
  onChange(filters: Filters): void;
}

/** On a narrower page they would take the place of the history. */
const WIDE = "(min-width: 48rem)";

/** Type, currency, status and period of a history. On a narrow page they are closed at first, unless one is set. */
export function HistoryFilters({ filters, onChange }: Props) {
  const { value: currencies = [] } = useCurrencies();
  const types = Object.entries(TYPE_NAMES).map(([value, label]) => ({ value, label }));
  const codes = currencies.map(({ code }) => ({ value: code, label: code }));
  const statuses = [
    { value: "posted", label: "Posted" },
    { value: "rejected", label: "Rejected" },
  ];
  const set = (name: keyof Filters) => (value: string) => onChange({ ...filters, [name]: value });
  const [isOpenAtFirst] = useState(() => hasFilters(filters) || matchMedia(WIDE).matches);
  return (
    <details open={isOpenAtFirst}>
      <summary>Filters</summary>
      <form class="filters" aria-label="Filters of the history" onSubmit={(event) => event.preventDefault()}>
        <Choice label="Type" value={filters.type} options={types} onChange={set("type")} />
        <Choice label="Currency" value={filters.currency} options={codes} onChange={set("currency")} />
        <Choice label="Status" value={filters.status} options={statuses} onChange={set("status")} />
        <Day label="From" value={filters.from} onChange={set("from")} />
        <Day label="To" value={filters.to} onChange={set("to")} />
      </form>
    </details>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
  onChange(value: string): void;
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="" selected={value === ""}>
          All
        </option>
        {options.map((option) => (
          <option key={option.value} value={option.value} selected={option.value === value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}

/** A day in the time zone of the browser. */
export function Day({ label, value, onChange }: Omit<ChoiceProps, "options">) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} type="date" value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)} />
    </div>
  );
}
