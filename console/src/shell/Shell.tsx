import { useEffect, useMemo, useState } from "preact/hooks";
import type { Client } from "../../../packages/client/src/index.ts";
import { ConsoleContext } from "../context.ts";
import { PAGES } from "../pages/index.ts";
import { hrefTo, match, useLocation } from "../router.ts";
import type { Session, SessionState } from "../session.ts";
import { ErrorBoundary } from "./ErrorBoundary.tsx";
import { ExpiredBanner } from "./ExpiredBanner.tsx";
import { Header } from "./Header.tsx";
import { PageHeading } from "./PageHeading.tsx";
import { SignInPage } from "./SignInPage.tsx";

interface Props {
  readonly session: Session;
  readonly client: Client;
  /** Why a sign-in at the identity provider failed. */
  readonly problem: string | undefined;
}

export function Shell({ session, client, problem }: Props) {
  const state = useSessionState(session);
  const { path } = useLocation();
  return (
    <>
      <Header session={session} state={state} path={path} />
      {state.status === "signed-out" ? (
        <SignInPage session={session} problem={problem} />
      ) : (
        <>
          {state.status === "expired" && <ExpiredBanner session={session} userId={state.userId} />}
          <main tabIndex={-1}>
            <CurrentPage client={client} userId={state.userId} isOperator={state.isOperator} />
          </main>
        </>
      )}
      <footer class="bottom">
        <a href="docs">API documentation</a>
      </footer>
    </>
  );
}

interface CurrentPageProps {
  readonly client: Client;
  readonly userId: string;
  readonly isOperator: boolean;
}

function CurrentPage({ client, userId, isOperator }: CurrentPageProps) {
  const { path, query } = useLocation();
  const context = useMemo(() => ({ client, userId, isOperator }), [client, userId, isOperator]);
  for (const { path: pattern, component: Page, isForOperators } of PAGES) {
    const params = match(pattern, path);
    if (!params || (isForOperators && !isOperator)) continue;
    return (
      <ConsoleContext.Provider value={context}>
        <ErrorBoundary key={path}>
          <Page params={params} query={query} />
        </ErrorBoundary>
      </ConsoleContext.Provider>
    );
  }
  return (
    <>
      <PageHeading>Page not found</PageHeading>
      <p>
        There is no such page, or it is for operators. <a href={hrefTo([])}>Go to the start</a>
      </p>
    </>
  );
}

function useSessionState(session: Session): SessionState {
  const [state, setState] = useState(session.state);
  useEffect(() => session.subscribe(() => setState(session.state())), [session]);
  return state;
}
