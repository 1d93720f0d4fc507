import { createServer } from "node:http";
import { expect, test } from "vitest";
import { CommandError } from "../../../scripts/command.ts";
import { CLIENT_ID, oidcProviderForTest } from "../../../testkit/oidcProvider.ts";
import { listenForTest } from "../../../testkit/perTest.ts";
import { refreshed, signInWithBrowser, signInWithDevice } from "./oidc.ts";

const client = { clientId: CLIENT_ID, scope: "openid offline_access", audience: undefined };
const REFRESH = { clientId: CLIENT_ID, token: "refresh-1" };

test("the device flow prints the address and the code, and waits until the user has entered it", async () => {
  const { issuer, grants } = await oidcProviderForTest({ token: "token-1", pendingPolls: 2 });
  const told: string[] = [];
  const tokens = await signInWithDevice({ ...client, issuer }, (line) => told.push(line));
  expect(told).toEqual([`Open ${issuer}/activate and enter the code WDJB-MJHT`]);
  expect(tokens).toEqual({ token: "token-1", refresh: { ...REFRESH, issuer, expiresAt: expect.any(String) } });
  expect(grants).toHaveLength(3);
});

test("the authorization code flow has PKCE, and ends at a port of this machine", async () => {
  const { issuer, grants } = await oidcProviderForTest({ token: "token-1" });
  let page: Promise<string> | undefined;
  const tokens = await signInWithBrowser({ ...client, issuer, audience: "antler" }, (line) => {
    const address = new URL(line.slice(line.indexOf("http")));
    expect(Object.fromEntries(address.searchParams)).toMatchObject({
      client_id: CLIENT_ID,
      response_type: "code",
      code_challenge_method: "S256",
      audience: "antler",
      redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback$/),
    });
    page = fetch(address).then((response) => response.text());
  });
  expect(tokens.token).toBe("token-1");
  expect(await page).toContain("You can close this window");
  expect(grants).toEqual(["authorization_code"]);
});

test("a redirect with another state is refused", async () => {
  const { issuer, grants } = await oidcProviderForTest({ token: "token-1" });
  const signIn = signInWithBrowser({ ...client, issuer }, (line) => {
    const { searchParams } = new URL(line.slice(line.indexOf("http")));
    void fetch(`${searchParams.get("redirect_uri")}?code=stolen&state=forged`);
  });
  await expect(signIn).rejects.toThrow(CommandError);
  expect(grants).toEqual([]);
});

test("what the provider says is an error in one sentence", async () => {
  const { issuer } = await oidcProviderForTest({ token: "token-1", refusal: "access_denied" });
  await expect(signInWithDevice({ ...client, issuer }, () => {})).rejects.toThrow(
    new CommandError("The provider did not sign you in: access_denied: as the test says"),
  );
});

test("a server that is no provider is an error in one sentence", async () => {
  const server = createServer((_request, response) => response.writeHead(404).end());
  const issuer = `http://127.0.0.1:${await listenForTest(server)}`;
  await expect(signInWithDevice({ ...client, issuer }, () => {})).rejects.toThrow(
    /^The provider did not sign you in: .+/,
  );
});

test("a provider elsewhere needs TLS", async () => {
  await expect(signInWithDevice({ ...client, issuer: "http://login.test" }, () => {})).rejects.toThrow(
    /^The provider did not sign you in: .*HTTP/,
  );
});

test("a token is renewed shortly before it expires, and not earlier", async () => {
  const { issuer } = await oidcProviderForTest({ token: "token-2" });
  const credential = (secondsLeft: number, token = "refresh-1") => ({
    token: "token-1",
    stage: "prod",
    refresh: { ...REFRESH, token, issuer, expiresAt: new Date(Date.now() + secondsLeft * 1000).toISOString() },
  });
  expect(await refreshed({ token: "token-1" })).toBeUndefined();
  expect(await refreshed(credential(60))).toBeUndefined();
  expect(await refreshed(credential(20))).toMatchObject({
    token: "token-2",
    stage: "prod",
    refresh: { ...REFRESH, issuer },
  });
  await expect(refreshed(credential(20, "revoked"))).rejects.toThrow(/invalid_grant/);
});
