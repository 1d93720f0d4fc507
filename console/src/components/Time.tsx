const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

interface Props {
  /** ISO 8601 */
  readonly at: string;
}

/** A time in the time zone of the browser. */
export function Time({ at }: Props) {
  return (
    <time dateTime={at} title={at}>
      {FORMAT.format(new Date(at))}
    </time>
  );
}
