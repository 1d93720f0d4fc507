import { useRef, useState } from "preact/hooks";
import { type Failure, failureOf } from "../logic/problem.ts";

/** An action of a button that has no idempotency key: it runs once at a time, whatever is clicked. */
export interface Action {
  /** @param action returns a sentence about what it has done */
  run(action: () => Promise<string>): Promise<void>;
  readonly isRunning: boolean;
  readonly failure: Failure | undefined;
  readonly message: string | undefined;
}

export function useAction(): Action {
  const isBusy = useRef(false);
  const [isRunning, setRunning] = useState(false);
  const [result, setResult] = useState<{ readonly failure?: Failure; readonly message?: string }>({});

  async function run(action: () => Promise<string>) {
    if (isBusy.current) return;
    isBusy.current = true;
    setRunning(true);
    setResult({});
    setResult(
      await action().then(
        (message) => ({ message }),
        (error: unknown) => ({ failure: failureOf(error) }),
      ),
    );
    setRunning(false);
    isBusy.current = false;
  }

  return { run, isRunning, failure: result.failure, message: result.message };
}
