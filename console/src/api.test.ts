import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fakeFetch, jsonAnswer, problemAnswer } from "../../testkit/fakeFetch.ts";
import { createApi } from "./api.ts";
import type { Session } from "./session.ts";

beforeEach(() => vi.stubGlobal("location", { href: "https://api.test/stage/?x=1#/wallets/alice" }));
afterEach(() => vi.unstubAllGlobals());

function sessionWith(token: string | undefined) {
  const expire = vi.fn();
  const session: Session = {
    state: () => ({ status: "signed-out" }),
    subscribe: () => () => {},
    signIn: () => undefined,
    signOut: () => {},
    expire,
    token: () => token,
  };
  return { session, expire };
}

test("requests go to the address of the page, with the token of the session", async () => {
  const { fetch, requests } = fakeFetch(jsonAnswer(200, { userId: "alice" }));
  vi.stubGlobal("fetch", fetch);
  const { session, expire } = sessionWith("token-1");
  await createApi(session).wallet("alice").balances();
  expect(requests.map(({ url }) => url)).toEqual(["https://api.test/stage/v1/users/alice/balances"]);
  expect(requests[0]?.headers.get("authorization")).toBe("Bearer token-1");
  expect(expire).not.toHaveBeenCalled();
});

test("a session expires when the API refuses its token", async () => {
  vi.stubGlobal("fetch", fakeFetch(problemAnswer(401, "unauthorized")).fetch);
  const { session, expire } = sessionWith("token-1");
  await expect(createApi(session).wallet("alice").balances()).rejects.toMatchObject({ code: "unauthorized" });
  expect(expire).toHaveBeenCalled();
});

test("an expired session sends nothing", async () => {
  const { fetch, requests } = fakeFetch(jsonAnswer(200, {}));
  vi.stubGlobal("fetch", fetch);
  const { session } = sessionWith(undefined);
  await expect(createApi(session).wallet("alice").balances()).rejects.toMatchObject({ code: "unauthorized" });
  expect(requests).toEqual([]);
});
