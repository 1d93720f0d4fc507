import type { Clock } from "../ledger/ports.ts";

/** Reads once, and again when the value is older than `maxAgeMs` or the read failed. */
export function cached<T>(read: () => Promise<T>, maxAgeMs: number, clock: Pick<Clock, "now">): () => Promise<T> {
  let last: { readonly value: Promise<T>; readonly readAtMs: number } | undefined;
  return () => {
    const nowMs = clock.now().getTime();
    if (!last || nowMs - last.readAtMs >= maxAgeMs) {
      const value = read();
      last = { value, readAtMs: nowMs };
      value.catch(() => {
        if (last?.value === value) last = undefined;
      });
    }
    return last.value;
  };
}
