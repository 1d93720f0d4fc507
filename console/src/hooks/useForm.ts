import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { FieldErrors, Fields } from "../logic/draft.ts";

/** The texts of a form, and what is wrong with them. */
export interface Form {
  readonly fields: Fields;
  readonly errors: FieldErrors;
  set(name: string, value: string): void;
  /** Marks what is wrong, and takes the focus to the first of it. */
  setErrors(errors: FieldErrors): void;
  /** For the `ref` of the form. */
  readonly element: RefObject<HTMLFormElement | null>;
}

export function useForm(initial: Fields): Form {
  const [fields, setFields] = useState(initial);
  const [errors, setErrors] = useState<FieldErrors>({});
  const [marks, setMarks] = useState(0);
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => element.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus(), [marks]);
  return {
    fields,
    errors,
    set(name, value) {
      setFields((previous) => ({ ...previous, [name]: value }));
      // What is being corrected is not wrong any more until the form is sent again.
      setErrors((previous) => Object.fromEntries(Object.entries(previous).filter(([each]) => each !== name)));
    },
    setErrors(found) {
      setErrors(found);
      setMarks((count) => count + 1);
    },
    element,
  };
}
