import { PAGES } from "../pages/index.ts";
import { hrefTo } from "../router.ts";
import type { Session, SessionState } from "../session.ts";
import { ThemeSwitch } from "./ThemeSwitch.tsx";
import { useConfig } from "./useConfig.ts";

/** The page names the icon, with its hash. */
const ICON = document.querySelector<HTMLLinkElement>("link[rel=icon]")?.href;

interface Props {
  readonly session: Session;
  readonly state: SessionState;
  /** The current place. */
  readonly path: string;
}

export function Header({ session, state, path }: Props) {
  const { config } = useConfig();
  const isSignedIn = state.status !== "signed-out";
  return (
    <header class="top">
      <button type="button" class="skip" onClick={skipToMain}>
        Skip to the content
      </button>
      <a class="brand" href={hrefTo([])}>
        <img src={ICON} alt="" />
        Antler
      </a>
      {config && <span class="badge">{config.stage}</span>}
      {isSignedIn && <Navigation path={path} isOperator={state.isOperator} />}
      <div class="user">
        {isSignedIn && (
          <span>
            {state.userId}
            {state.isOperator && <span class="badge">operator</span>}
          </span>
        )}
        <ThemeSwitch />
        {isSignedIn && (
          <button type="button" onClick={session.signOut}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

function Navigation({ path, isOperator }: { readonly path: string; readonly isOperator: boolean }) {
  const pages = PAGES.filter(({ navigation, isForOperators }) => navigation && (isOperator || !isForOperators));
  return (
    <nav aria-label="Main">
      {pages.map((page) => (
        <a key={page.path} href={`#${page.path}`} aria-current={page.path === path ? "page" : undefined}>
          {page.navigation}
        </a>
      ))}
    </nav>
  );
}

/** Not a link: the address after # is the place in the console. */
function skipToMain(): void {
  document.querySelector("main")?.focus();
}
