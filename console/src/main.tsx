import { render } from "preact";
import { apiUrl, createApi } from "./api.ts";
import { readConfig } from "./config.ts";
import { renewalOf } from "./renewal.ts";
import { parseHash } from "./router.ts";
import { createSession } from "./session.ts";
import { Shell } from "./shell/Shell.tsx";
import { applyTheme, readTheme } from "./theme.ts";

const FAILED = "The sign-in did not succeed. Try again.";

/** Shows the console. @param problem why a sign-in did not succeed */
function showConsole(root: HTMLElement, problem?: string): void {
  const session = createSession({ storage: sessionStorage });
  render(<Shell session={session} client={createApi(session)} problem={problem} />, root);
}

/** The page comes back from the identity provider. */
async function returnFromProvider(root: HTMLElement): Promise<void> {
  const address = new URL(location.href);
  // The code must not stay in the address, nor in the browser's history.
  history.replaceState(null, "", apiUrl());
  const { exchangeCode, takePendingSignIn } = await import("./signIn.ts");
  const pending = takePendingSignIn();
  const handOver = renewalOf(parseHash(pending?.hash ?? "").path);
  try {
    const { oidc } = await readConfig();
    if (!oidc || !pending) throw new Error("This window has not started a sign-in, or it is over");
    const token = await exchangeCode(oidc, pending, address);
    if (handOver) return finishRenewal(root, handOver, token);
    history.replaceState(null, "", `${apiUrl()}${pending.hash}`);
    showConsole(root, createSession({ storage: sessionStorage }).signIn(token));
  } catch (error) {
    console.error(error);
    if (handOver) render(<SecondWindow text="The sign-in did not succeed. Close this window and try again." />, root);
    else showConsole(root, FAILED);
  }
}

function finishRenewal(root: HTMLElement, handOver: (token: string) => void, token: string): void {
  handOver(token);
  close();
  // Not every browser lets a page close its window.
  render(<SecondWindow text="You are signed in again. You can close this window." />, root);
}

/** This window was opened to sign in again for another one. */
async function signInForOtherWindow(root: HTMLElement): Promise<void> {
  try {
    const { oidc } = await readConfig();
    if (oidc) await (await import("./signIn.ts")).leaveToSignIn(oidc, location.hash);
  } catch (error) {
    console.error(error);
    render(<SecondWindow text="The identity provider can't be reached. Close this window and try again." />, root);
  }
}

function SecondWindow({ text }: { readonly text: string }) {
  return (
    <main class="narrow">
      <p role="status">{text}</p>
    </main>
  );
}

applyTheme(readTheme());
const root = document.getElementById("app");
if (!root) throw new Error("The page has no element for the console");
if (new URLSearchParams(location.search).has("state")) await returnFromProvider(root);
else if (renewalOf(parseHash(location.hash).path)) await signInForOtherWindow(root);
else showConsole(root);
