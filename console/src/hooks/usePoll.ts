import { useEffect, useRef } from "preact/hooks";
import { nextPauseMs } from "../logic/polling.ts";

/**
 * Calls `read` now and again, with growing pauses while nothing changes. It stops while the page is hidden, and continues at
 * once when the user is back.
 *
 * @param read returns true if something has changed; a failure counts as no change
 * @returns a function that reads at once
 */
export function usePoll(read: (signal: AbortSignal) => Promise<boolean>, isActive = true): () => void {
  const latest = useRef(read);
  latest.current = read;
  const wake = useRef(() => {});

  useEffect(() => {
    if (!isActive) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isPolling = false;
    let pauseMs = 0;

    function schedule() {
      clearTimeout(timer);
      if (!document.hidden && !controller.signal.aborted) timer = setTimeout(poll, pauseMs);
    }
    async function poll() {
      if (isPolling) return;
      isPolling = true;
      const hasChanged = await latest.current(controller.signal).catch(() => false);
      isPolling = false;
      pauseMs = nextPauseMs(pauseMs, hasChanged);
      schedule();
    }
    wake.current = () => {
      pauseMs = 0;
      schedule();
    };
    const { current } = wake;
    document.addEventListener("visibilitychange", current);
    addEventListener("focus", current);
    schedule();
    return () => {
      document.removeEventListener("visibilitychange", current);
      removeEventListener("focus", current);
      controller.abort();
      clearTimeout(timer);
    };
  }, [isActive]);

  return () => wake.current();
}
