import { useEffect, useState } from "preact/hooks";
import { openRenewal } from "../renewal.ts";
import type { Session } from "../session.ts";
import { TokenForm } from "./TokenForm.tsx";
import { useConfig } from "./useConfig.ts";

/** Asks the user to sign in again. The page below keeps what its forms have. */
export function ExpiredBanner({ session, userId }: { readonly session: Session; readonly userId: string }) {
  const { config } = useConfig();
  const [problem, setProblem] = useState<string>();
  const [endWait, setEndWait] = useState<() => void>();
  useEffect(() => () => endWait?.(), [endWait]);

  function signIn(): void {
    endWait?.();
    const end = openRenewal((token) => setProblem(session.signIn(token)));
    setEndWait(() => end);
    setProblem(
      end ? undefined : "The browser blocked the window of the sign-in. Allow it for this page, then try again.",
    );
  }

  return (
    <section class="banner stack" aria-label="Sign in again">
      <p role="alert">
        <strong>Your session has expired.</strong> Sign in again as {userId}. This page keeps what you entered.
      </p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {config?.oidc ? (
        <button type="button" class="primary" onClick={signIn}>
          Sign in again
        </button>
      ) : (
        <TokenForm onToken={session.signIn} />
      )}
    </section>
  );
}
