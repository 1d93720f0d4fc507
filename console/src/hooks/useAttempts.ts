import { useEffect, useState } from "preact/hooks";
import type { Attempt } from "../logic/attempt.ts";
import { useCommandRunner } from "./useCommandRunner.ts";

/** The commands of this window, updated as they progress. */
export function useAttempts(): readonly Attempt[] {
  const runner = useCommandRunner();
  const [attempts, setAttempts] = useState(runner.attempts);
  useEffect(() => {
    const update = () => setAttempts(runner.attempts());
    update();
    return runner.subscribe(update);
  }, [runner]);
  return attempts;
}
