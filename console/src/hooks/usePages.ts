import { useEffect, useRef, useState } from "preact/hooks";
import { type Failure, failureOf } from "../logic/problem.ts";

/** The pages of a list that were read so far. */
export interface Pages<Page> {
  readonly pages: readonly Page[];
  readonly failure: Failure | undefined;
  readonly isReading: boolean;
  readonly hasMore: boolean;
  readMore(): void;
  /** Reads the list from the start. */
  restart(): void;
}

interface State<Page> {
  readonly of: string;
  readonly pages: readonly Page[];
  readonly failure?: Failure | undefined;
  readonly isReading: boolean;
}

/**
 * Reads a list page by page, and from the start when an input changes.
 *
 * @param open gets a signal that aborts it when its answer is not needed any more
 */
export function usePages<Page extends { readonly nextCursor: string | null }>(
  open: (signal: AbortSignal) => AsyncIterable<Page>,
  inputs: readonly unknown[],
): Pages<Page> {
  const [starts, setStarts] = useState(0);
  const key = JSON.stringify([starts, ...inputs]);
  const started: State<Page> = { of: key, pages: [], isReading: true };
  const [state, setState] = useState(started);
  const iterator = useRef<AsyncIterator<Page> | undefined>(undefined);
  const current = state.of === key ? state : started;

  async function readMore() {
    const read = iterator.current;
    const change = (next: (previous: State<Page>) => State<Page>) =>
      setState((previous) => (iterator.current === read ? next(previous.of === key ? previous : started) : previous));
    change((previous) => ({ ...previous, failure: undefined, isReading: true }));
    try {
      const { value, done } = (await read?.next()) ?? { done: true };
      change(({ pages }) => ({ of: key, pages: done ? pages : [...pages, value], isReading: false }));
    } catch (error) {
      change((previous) => ({ ...previous, failure: failureOf(error), isReading: false }));
    }
  }

  useEffect(() => {
    const controller = new AbortController();
    iterator.current = open(controller.signal)[Symbol.asyncIterator]();
    void readMore();
    return () => controller.abort();
  }, [key]);

  return {
    ...current,
    failure: current.failure,
    hasMore: current.pages.at(-1)?.nextCursor !== null,
    readMore: () => void readMore(),
    restart: () => setStarts((count) => count + 1),
  };
}
