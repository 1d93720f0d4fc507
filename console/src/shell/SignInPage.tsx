import { useState } from "preact/hooks";
import type { ConsoleConfig } from "../../config.ts";
import type { Session } from "../session.ts";
import { PageHeading } from "./PageHeading.tsx";
import { TokenForm } from "./TokenForm.tsx";
import { useConfig } from "./useConfig.ts";

interface Props {
  readonly session: Session;
  /** Why an earlier sign-in failed. */
  readonly problem: string | undefined;
}

export function SignInPage({ session, problem }: Props) {
  const { config, problem: configProblem } = useConfig();
  const shownProblem = problem ?? configProblem;
  return (
    <main class="narrow stack">
      <PageHeading>Sign in</PageHeading>
      {shownProblem && (
        <p class="problem" role="alert">
          {shownProblem}
        </p>
      )}
      {config?.oidc && <ProviderSignIn config={config} />}
      {config && (config.oidc ? <TokenAlternative session={session} /> : <TokenForm onToken={session.signIn} />)}
    </main>
  );
}

function ProviderSignIn({ config: { oidc, isLocal } }: { readonly config: ConsoleConfig }) {
  const [state, setState] = useState<"idle" | "leaving" | "failed">("idle");

  async function signIn(): Promise<void> {
    setState("leaving");
    try {
      if (oidc) await (await import("../signIn.ts")).leaveToSignIn(oidc, location.hash);
      // The browser shows this page again, as it was left, when the user goes back.
      setState("idle");
    } catch (error) {
      console.error(error);
      setState("failed");
    }
  }

  return (
    <section class="card stack">
      <p>
        {isLocal
          ? "This ledger runs on your machine. Choose on the next page who you are: a user, or an operator who can act for all users."
          : "You sign in at your identity provider, and come back."}
      </p>
      {state === "failed" && (
        <p class="problem" role="alert">
          The identity provider can't be reached. Check the connection, then try again.
        </p>
      )}
      <button type="button" class="primary" disabled={state === "leaving"} onClick={signIn}>
        Sign in
      </button>
    </section>
  );
}

function TokenAlternative({ session }: { readonly session: Session }) {
  return (
    <details>
      <summary>Use a token instead</summary>
      <TokenForm onToken={session.signIn} />
    </details>
  );
}
