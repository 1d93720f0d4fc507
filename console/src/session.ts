/** Who is signed in in this window, and with which token. The token is in the window's session storage and nowhere else. */
export interface Session {
  state(): SessionState;
  /** Calls the listener after each change. @returns ends the subscription */
  subscribe(listener: () => void): () => void;
  /**
   * Uses a token from now on. While the session is expired, only one of the same user is accepted: what the page shows is
   * theirs.
   *
   * @returns undefined, or a sentence about why the token can't be used
   */
  signIn(token: string): string | undefined;
  /** Forgets the token. */
  signOut(): void;
  /** The API did not accept the token: the user must sign in again. */
  expire(): void;
  /** @returns the token; undefined when no one is signed in or the token has expired */
  token(): string | undefined;
}

export type SessionState =
  | { readonly status: "signed-out" }
  | {
      /** After `expired` the page stays as it is, and asks the user to sign in again. */
      readonly status: "signed-in" | "expired";
      readonly userId: string;
      /** True if the token has the scope `wallets:admin`. */
      readonly isOperator: boolean;
    };

/** What the token says. Only the API checks its signature. */
interface Claims {
  readonly userId: string;
  readonly isOperator: boolean;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

interface Options {
  readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  readonly nowMs?: () => number;
  readonly setTimer?: (callback: () => void, delayMs: number) => unknown;
}

const STORAGE_KEY = "antler.token";
const ADMIN_SCOPE = "wallets:admin";
/** Timers with a longer delay fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function createSession({ storage, nowMs = Date.now, setTimer = setTimeout }: Options): Session {
  const listeners = new Set<() => void>();
  let token: string | undefined;
  let claims: Claims | undefined;
  let state: SessionState = { status: "signed-out" };

  function change(next: SessionState): void {
    state = next;
    for (const listener of listeners) listener();
  }

  function expire(): void {
    if (state.status === "signed-in") change({ ...state, status: "expired" });
  }

  function expireInTime(): void {
    if (!claims) return;
    const remainingMs = claims.expiresAtMs - nowMs();
    if (remainingMs <= 0) expire();
    else setTimer(expireInTime, Math.min(remainingMs, TIMER_MS_MAX));
  }

  function use(newToken: string, { userId, isOperator }: Claims): void {
    token = newToken;
    change({ status: "signed-in", userId, isOperator });
    expireInTime();
  }

  const stored = storage.getItem(STORAGE_KEY);
  claims = stored === null ? undefined : claimsOf(stored);
  if (stored !== null && claims) use(stored, claims);

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    signIn(text) {
      const newToken = text.trim().replace(/^Bearer +/i, "");
      const read = claimsOf(newToken);
      if (!read) return "This is not a token: it must be a JWT with a user (sub) and an expiry (exp).";
      if (read.expiresAtMs <= nowMs()) return "This token has expired. Get a new one from your identity provider.";
      if (state.status !== "signed-out" && state.userId !== read.userId) {
        return `You signed in as ${read.userId}, but this page is of ${state.userId}. Sign in as ${state.userId}, or sign out first.`;
      }
      claims = read;
      storage.setItem(STORAGE_KEY, newToken);
      use(newToken, read);
      return undefined;
    },
    signOut() {
      storage.removeItem(STORAGE_KEY);
      token = undefined;
      claims = undefined;
      change({ status: "signed-out" });
    },
    expire,
    token() {
      if (claims && claims.expiresAtMs <= nowMs()) expire();
      return state.status === "signed-in" ? token : undefined;
    },
  };
}

function claimsOf(token: string): Claims | undefined {
  const [, payload, signature] = token.split(".");
  if (!payload || !signature) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (each) =>
      each.charCodeAt(0),
    );
    const { sub, scope, exp }: Record<string, unknown> = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof sub !== "string" || sub === "" || typeof exp !== "number") return undefined;
    const isOperator = typeof scope === "string" && scope.split(" ").includes(ADMIN_SCOPE);
    return { userId: sub, isOperator, expiresAtMs: exp * 1000 };
  } catch {
    return undefined;
  }
}
