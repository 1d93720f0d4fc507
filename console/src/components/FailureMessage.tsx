import { type Failure, SENTENCES } from "../logic/problem.ts";

interface Props {
  readonly failure: Failure;
  /** What did not succeed, such as `The balances could not be read`. */
  readonly what?: string;
  readonly onRetry?: () => void;
}

/** Why something did not succeed, and what to do. */
export function FailureMessage({ failure, what, onRetry }: Props) {
  return (
    <div class="problem stack" role="alert">
      <p>
        {what && <strong>{what}. </strong>}
        {SENTENCES[failure.code]}
      </p>
      <Parameters failure={failure} />
      {failure.requestId && (
        <p class="hint">
          For the operator: request <code>{failure.requestId}</code>
        </p>
      )}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What is wrong with the filters of a list: they have no mark of their own. */
function Parameters({ failure: { errors } }: Pick<Props, "failure">) {
  const wrong = errors.filter(({ parameter }) => parameter !== undefined);
  if (wrong.length === 0) return null;
  return (
    <ul>
      {wrong.map(({ parameter, detail }) => (
        <li key={parameter}>
          {parameter}: {detail}
        </li>
      ))}
    </ul>
  );
}
