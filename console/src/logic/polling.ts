const FIRST_MS = 1000;
const GROWTH = 1.25;
const MAX_MS = 8000;

/** The pause before the next read: short after a change, and longer each time that nothing has changed. */
export function nextPauseMs(pauseMs: number, hasChanged: boolean): number {
  return hasChanged ? FIRST_MS : Math.min(Math.max(pauseMs * GROWTH, FIRST_MS), MAX_MS);
}
