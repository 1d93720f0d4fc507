import { expect, test } from "vitest";
import { createSession, type Session } from "./session.ts";

const NOW_MS = Date.UTC(2026, 10, 30, 12);

interface Claims {
  readonly sub?: unknown;
  readonly scope?: unknown;
  readonly exp?: unknown;
}

function tokenWith(claims: Claims): string {
  const encode = (value: object) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
      .replaceAll("+", "-")
      .replaceAll("/", "_");
  return [encode({ alg: "RS256" }), encode({ exp: NOW_MS / 1000 + 60, ...claims }), "signature"].join(".");
}

/** A window: its storage survives a reload. */
function openWindow(stored = new Map<string, string>()) {
  let nowMs = NOW_MS;
  const timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  const session = createSession({
    storage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => stored.set(key, value),
      removeItem: (key) => stored.delete(key),
    },
    nowMs: () => nowMs,
    setTimer: (callback, delayMs) => timers.push({ atMs: nowMs + delayMs, callback }),
  });
  return {
    session,
    stored,
    reload: () => openWindow(stored).session,
    /** Lets time pass, with or without the timers: those of a sleeping device do not fire. */
    pass(seconds: number, fireTimers = true) {
      nowMs += seconds * 1000;
      if (fireTimers) for (const { atMs, callback } of timers.splice(0)) if (atMs <= nowMs) callback();
    },
  };
}

function signedIn(claims: Claims = { sub: "alice" }) {
  const opened = openWindow();
  expect(opened.session.signIn(tokenWith(claims))).toBeUndefined();
  return opened;
}

const statusOf = (session: Session) => session.state().status;

test("a token signs in its user, and a reload keeps the session", () => {
  const { session, reload } = signedIn({ sub: "älice/1", scope: "openid" });
  const state = { status: "signed-in", userId: "älice/1", isOperator: false };
  expect(session.state()).toEqual(state);
  expect(reload().state()).toEqual(state);
  expect(reload().token()).toBe(session.token());
});

test.each([
  ["wallets:admin", true],
  ["openid wallets:admin", true],
  ["wallets:admin2", false],
  [["wallets:admin"], false],
])("a token with the scope %j is an operator's: %j", (scope, isOperator) => {
  expect(signedIn({ sub: "ops", scope }).session.state()).toMatchObject({ isOperator });
});

test.each([
  ["", "not a token"],
  ["abc", "not a token"],
  ["a.b.c", "not a token"],
  [tokenWith({ sub: "" }), "not a token"],
  [tokenWith({ sub: "alice", exp: "tomorrow" }), "not a token"],
  [tokenWith({ sub: "alice", exp: NOW_MS / 1000 }), "expired"],
])("%j is not accepted, and the reason is a sentence", (token, reason) => {
  const { session, stored } = openWindow();
  expect(session.signIn(token)).toContain(reason);
  expect([statusOf(session), session.token(), stored.size]).toEqual(["signed-out", undefined, 0]);
});

test("the scheme and spaces around a pasted token are ignored", () => {
  const { session } = openWindow();
  const token = tokenWith({ sub: "alice" });
  session.signIn(`  Bearer ${token}\n`);
  expect(session.token()).toBe(token);
});

test("a session expires with its token, tells its subscribers once, and has no token any more", () => {
  const { session, pass } = signedIn();
  const seen: string[] = [];
  session.subscribe(() => seen.push(statusOf(session)));
  pass(59);
  expect(statusOf(session)).toBe("signed-in");
  pass(1);
  expect(session.token()).toBeUndefined();
  expect(seen).toEqual(["expired"]);
  expect(session.state()).toMatchObject({ userId: "alice" });
});

test("a session whose timers did not fire expires when its token is asked for", () => {
  const { session, pass } = signedIn();
  pass(3600, false);
  expect(session.token()).toBeUndefined();
  expect(statusOf(session)).toBe("expired");
});

test("a token that expires in more than a timer can wait does not expire at once", () => {
  const { session, pass } = signedIn({ sub: "alice", exp: NOW_MS / 1000 + 60 * 86_400 });
  pass(25 * 86_400);
  expect(statusOf(session)).toBe("signed-in");
  pass(36 * 86_400);
  expect(statusOf(session)).toBe("expired");
});

test("an expired session accepts a new token of its user only", () => {
  const { session, pass } = signedIn();
  session.expire();
  expect(session.signIn(tokenWith({ sub: "bob" }))).toContain("You signed in as bob, but this page is of alice");
  expect(statusOf(session)).toBe("expired");
  const later = tokenWith({ sub: "alice", exp: NOW_MS / 1000 + 120 });
  expect(session.signIn(later)).toBeUndefined();
  expect([statusOf(session), session.token()]).toEqual(["signed-in", later]);
  // The timer of the first token.
  pass(60);
  expect(statusOf(session)).toBe("signed-in");
});

test("after a sign-out, nothing of the session is left, and anyone can sign in", () => {
  const { session, stored } = signedIn();
  session.signOut();
  expect([statusOf(session), session.token(), stored.size]).toEqual(["signed-out", undefined, 0]);
  expect(session.signIn(tokenWith({ sub: "bob" }))).toBeUndefined();
});

test("a stored token that has expired shows the page with the request to sign in again", () => {
  const { session, stored } = openWindow(new Map([["antler.token", tokenWith({ sub: "alice", exp: 1 })]]));
  expect([statusOf(session), session.token()]).toEqual(["expired", undefined]);
  expect(stored.size).toBe(1);
});
