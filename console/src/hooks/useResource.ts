import { useEffect, useState } from "preact/hooks";
import { type Failure, failureOf } from "../logic/problem.ts";

/** What a page reads: neither a value nor a failure while it is being read for the first time. */
export interface Resource<Value> {
  readonly value?: Value | undefined;
  readonly failure?: Failure | undefined;
  readonly isReading: boolean;
  reload(): void;
  /** Replaces the value by a newer one that the page has. */
  set(value: Value): void;
}

/**
 * Reads something, and reads it again when an input changes.
 *
 * @param read gets a signal that aborts it when its answer is not needed any more
 */
export function useResource<Value>(
  read: (signal: AbortSignal) => Promise<Value>,
  inputs: readonly unknown[],
): Resource<Value> {
  const key = JSON.stringify(inputs);
  const [reads, setReads] = useState(0);
  const [state, setState] = useState<{ key: string; value?: Value | undefined; failure?: Failure; reads: number }>();
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const keep = (change: { value: Value } | { failure: Failure }) => {
      if (signal.aborted) return;
      setState((previous) => ({ ...(previous?.key === key && { value: previous.value }), key, reads, ...change }));
    };
    read(signal).then(
      (value) => keep({ value }),
      (error: unknown) => keep({ failure: failureOf(error) }),
    );
    return () => controller.abort();
  }, [key, reads]);

  const current = state?.key === key ? state : undefined;
  return {
    value: current?.value,
    failure: current?.failure,
    isReading: current?.reads !== reads,
    reload: () => setReads((count) => count + 1),
    set: (value) => setState({ key, value, reads }),
  };
}
