import { useState } from "preact/hooks";
import { useConsole } from "../context.ts";
import { usePoll } from "../hooks/usePoll.ts";
import { type Failure, failureOf } from "../logic/problem.ts";
import { FailureMessage } from "./FailureMessage.tsx";
import { Loading } from "./Loading.tsx";
import { Time } from "./Time.tsx";

interface Check {
  readonly at: string;
  readonly failure?: Failure | undefined;
}

/** Whether the tables and the queue of the service respond, checked again and again. */
export function ServiceHealth() {
  const { client } = useConsole();
  const [check, setCheck] = useState<Check>();
  const checkAgain = usePoll(async (signal) => {
    const failure = await client.health({ signal }).then(
      () => undefined,
      (error: unknown) => failureOf(error),
    );
    if (!signal.aborted) setCheck({ at: new Date().toISOString(), failure });
    return failure?.code !== check?.failure?.code;
  });
  return (
    <section class="stack" aria-labelledby="health">
      <h2 id="health">Health of the service</h2>
      {!check && <Loading what="the health" />}
      {check?.failure && (
        <FailureMessage failure={check.failure} what="The service is not healthy" onRetry={checkAgain} />
      )}
      {check && !check.failure && <p class="success">The service is healthy: its tables and its queue respond.</p>}
      {check && (
        <p class="hint">
          Checked <Time at={check.at} />
        </p>
      )}
    </section>
  );
}
