import { once } from "node:events";
import { createServer, request } from "node:http";
import { text } from "node:stream/consumers";
import { decodeJwt } from "jose";
import * as oauth from "oauth4webapi";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { listen } from "../tcp.ts";
import { createProvider } from "./provider.ts";

const CLIENT = { client_id: "console" };
const REDIRECT_URI = "http://localhost:4000/";
const INSECURE = { [oauth.allowInsecureRequests]: true };

let nowMs = 0;
const server = createServer();
const url = `http://127.0.0.1:${await listen(server)}`;
server.on(
  "request",
  createProvider({
    url,
    keySetUrl: `${url}/jwks`,
    clientId: CLIENT.client_id,
    redirectUris: [REDIRECT_URI],
    tokenLifetimeSeconds: 60,
    issueAccessToken: async ({ userId, scope }) => `access token of ${userId} for ${scope}`,
    // oauth4webapi checks the claims, but not the signature, which TLS replaces.
    issueIdToken: async ({ userId, nonce }) => unsignedToken({ sub: userId, nonce }),
    nowMs: () => nowMs,
  }),
);
afterAll(() => server.close());
beforeEach(() => {
  nowMs = 0;
});

function unsignedToken(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const seconds = Math.floor(Date.now() / 1000);
  const all = { iss: url, aud: CLIENT.client_id, iat: seconds, exp: seconds + 60, ...claims };
  return `${encode({ alg: "RS256" })}.${encode(all)}.${Buffer.from("signature").toString("base64url")}`;
}

async function discover(): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(url);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, INSECURE));
}

/** A client that has sent its user to the provider. */
async function startSignIn(changes: Readonly<Record<string, string | undefined>> = {}) {
  const server = await discover();
  const codeVerifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const parameters = {
    client_id: CLIENT.client_id,
    redirect_uri: REDIRECT_URI,
    response_type: "code",
    scope: "openid wallets:admin",
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: "S256",
    ...changes,
  };
  const address = new URL(server.authorization_endpoint ?? "");
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) address.searchParams.set(name, value);
  }
  return { server, codeVerifier, state, nonce, address, redirectUri: parameters.redirect_uri ?? "" };
}

type SignIn = Awaited<ReturnType<typeof startSignIn>>;

function post(address: URL | string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(address, { method: "POST", body: new URLSearchParams(form), headers, redirect: "manual" });
}

/** The user clicks. @returns where the browser is sent */
async function click({ address }: SignIn, form: Record<string, string>): Promise<URL> {
  const response = await post(address, form);
  expect(response.status).toBe(303);
  return new URL(response.headers.get("location") ?? "");
}

function exchange({ server, state, codeVerifier, redirectUri }: SignIn, returned: URL, verifier = codeVerifier) {
  const parameters = oauth.validateAuthResponse(server, CLIENT, returned, state);
  return oauth.authorizationCodeGrantRequest(server, CLIENT, oauth.None(), parameters, redirectUri, verifier, INSECURE);
}

async function errorOf(response: Response): Promise<unknown> {
  const { error } = z.object({ error: z.string() }).parse(await response.json());
  return [response.status, error];
}

describe("the authorization code flow", () => {
  test("signs in a user with one click, and an operator with the scope for it", async () => {
    for (const [form, userId, scope] of [
      [{ user: "alice" }, "alice", "openid"],
      [{ user: "shop-1" }, "shop-1", "openid"],
      [{ operator: "operator" }, "operator", "openid wallets:admin"],
    ] as const) {
      const signIn = await startSignIn();
      const response = await exchange(signIn, await click(signIn, form));
      expect(response.headers.get("cache-control")).toBe("no-store");
      const result = await oauth.processAuthorizationCodeResponse(signIn.server, CLIENT, response, {
        expectedNonce: signIn.nonce,
        requireIdToken: true,
      });
      expect(result).toMatchObject({ access_token: `access token of ${userId} for ${scope}`, scope, expires_in: 60 });
      expect(decodeJwt(result.id_token ?? "")).toMatchObject({ sub: userId, aud: CLIENT.client_id });
    }
  });

  test("grants no operator's scope that the client did not ask for", async () => {
    const signIn = await startSignIn({ scope: "openid profile" });
    expect(await (await fetch(signIn.address)).text()).not.toContain("operator");
    const returned = await click(signIn, { operator: "operator", user: "mallory" });
    const result = await oauth.processAuthorizationCodeResponse(
      signIn.server,
      CLIENT,
      await exchange(signIn, returned),
      { expectedNonce: signIn.nonce },
    );
    expect(result).toMatchObject({ access_token: "access token of mallory for openid", scope: "openid" });
  });

  test("refuses a wrong verifier, and the code is used up", async () => {
    const signIn = await startSignIn();
    const returned = await click(signIn, { user: "alice" });
    const wrong = await exchange(signIn, returned, oauth.generateRandomCodeVerifier());
    expect(await errorOf(wrong)).toEqual([400, "invalid_grant"]);
    expect(await errorOf(await exchange(signIn, returned))).toEqual([400, "invalid_grant"]);
  });

  test("refuses a code that was used, and one that has expired", async () => {
    const used = await startSignIn();
    const returned = await click(used, { user: "alice" });
    expect((await exchange(used, returned)).status).toBe(200);
    expect(await errorOf(await exchange(used, returned))).toEqual([400, "invalid_grant"]);

    const late = await startSignIn();
    const returnedLate = await click(late, { user: "alice" });
    nowMs += 60_000;
    expect(await errorOf(await exchange(late, returnedLate))).toEqual([400, "invalid_grant"]);
  });

  test("refuses another redirect URI, client or grant at the token endpoint", async () => {
    for (const [changes, status, error] of [
      [{ redirect_uri: "http://localhost:4000/other" }, 400, "invalid_grant"],
      [{ client_id: "other" }, 401, "invalid_client"],
      [{ grant_type: "password" }, 400, "unsupported_grant_type"],
      [{ code_verifier: "short" }, 400, "invalid_grant"],
    ] as const) {
      const signIn = await startSignIn();
      const code = (await click(signIn, { user: "alice" })).searchParams.get("code") ?? "";
      const response = await post(`${url}/token`, {
        grant_type: "authorization_code",
        code,
        redirect_uri: REDIRECT_URI,
        code_verifier: signIn.codeVerifier,
        ...CLIENT,
        ...changes,
      });
      expect(await errorOf(response)).toEqual([status, error]);
    }
  });

  test.each([
    { redirect_uri: "http://localhost:4000" },
    { redirect_uri: "http://localhost:4001/" },
    { redirect_uri: "https://attacker.example/" },
    { redirect_uri: "http://127.0.0.1:5000/callback/../x" },
    { redirect_uri: undefined },
    { client_id: "other" },
  ])("shows an error, and leads nowhere, for %j", async (changes) => {
    const { address } = await startSignIn(changes);
    for (const response of [await fetch(address, { redirect: "manual" }), await post(address, { user: "alice" })]) {
      expect([response.status, response.headers.get("location")]).toEqual([400, null]);
    }
  });

  test.each([
    [{ response_type: "token" }, "unsupported_response_type"],
    [{ code_challenge: undefined }, "invalid_request"],
    [{ code_challenge_method: "plain" }, "invalid_request"],
    [{ code_challenge_method: undefined }, "invalid_request"],
  ])("goes back to the client with an error for %j", async (changes, error) => {
    const signIn = await startSignIn(changes);
    const returned = await click(signIn, { user: "alice" });
    expect(returned.searchParams.get("error")).toBe(error);
    expect(returned.searchParams.get("code")).toBeNull();
    expect(() => oauth.validateAuthResponse(signIn.server, CLIENT, returned, signIn.state)).toThrow(
      oauth.AuthorizationResponseError,
    );
  });

  test("sends a command line to any port of this machine", async () => {
    const signIn = await startSignIn({ redirect_uri: "http://127.0.0.1:50123/callback" });
    const returned = await click(signIn, { user: "alice" });
    expect(returned.origin + returned.pathname).toBe("http://127.0.0.1:50123/callback");
    expect((await exchange(signIn, returned)).status).toBe(200);
  });

  test("refuses what is not a user id", async () => {
    const { address } = await startSignIn();
    for (const user of ["", "a b", "x".repeat(300)]) {
      expect((await post(address, { user })).status).toBe(400);
    }
  });
});

describe("the device flow", () => {
  async function start() {
    const server = await discover();
    const parameters = new URLSearchParams({ scope: "openid wallets:admin" });
    const response = await oauth.deviceAuthorizationRequest(server, CLIENT, oauth.None(), parameters, INSECURE);
    const device = await oauth.processDeviceAuthorizationResponse(server, CLIENT, response);
    const poll = () => oauth.deviceCodeGrantRequest(server, CLIENT, oauth.None(), device.device_code, INSECURE);
    return { server, device, poll };
  }

  test("gives the terminal a token once its user has signed in, and only once", async () => {
    const { server, device, poll } = await start();
    expect(await errorOf(await poll())).toEqual([400, "authorization_pending"]);
    expect(await (await fetch(device.verification_uri_complete ?? "")).text()).toContain(device.user_code);
    const typed = device.user_code.toLowerCase().replace("-", " ");
    expect((await post(device.verification_uri, { user_code: typed, user: "alice" })).status).toBe(200);
    const result = await oauth.processDeviceCodeResponse(server, CLIENT, await poll());
    expect(result.access_token).toBe("access token of alice for openid");
    expect(await errorOf(await poll())).toEqual([400, "expired_token"]);
  });

  test("refuses an unknown code, one that was used, and one that has expired", async () => {
    const { device, poll } = await start();
    const confirm = (user_code: string) => post(device.verification_uri, { user_code, user: "alice" });
    expect((await confirm("BBBB-BBBB")).status).toBe(400);
    expect((await confirm(device.user_code)).status).toBe(200);
    expect((await confirm(device.user_code)).status).toBe(400);
    nowMs += 600_000;
    expect(await errorOf(await poll())).toEqual([400, "expired_token"]);
  });

  test("asks for the code that the address does not have, and refuses one that is unknown", async () => {
    expect(await (await fetch(`${url}/device`)).text()).toContain('name="user_code"');
    const response = await fetch(`${url}/device?user_code=${encodeURIComponent('"><script>alert(1)</script>')}`);
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain("<script>");
  });
});

describe("the provider", () => {
  test("lets the console read discovery and tokens, and no other origin", async () => {
    for (const [origin, allowed] of [
      ["http://localhost:4000", "http://localhost:4000"],
      ["https://attacker.example", null],
      ["null", null],
    ] as const) {
      for (const response of [
        await fetch(`${url}/.well-known/openid-configuration`, { headers: { origin } }),
        await post(`${url}/token`, {}, { origin }),
      ]) {
        expect(response.headers.get("access-control-allow-origin")).toBe(allowed);
      }
    }
  });

  test("takes the form of its page from its page only", async () => {
    const { address } = await startSignIn();
    for (const origin of ["https://attacker.example", "null", "http://localhost:4000"]) {
      expect((await post(address, { user: "alice" }, { origin })).status).toBe(403);
      expect((await post(`${url}/device`, { user: "alice" }, { origin })).status).toBe(403);
    }
    expect((await post(address, { user: "alice" }, { origin: url })).status).toBe(303);
  });

  test("answers to its own names only, so that a foreign name can't lead here", async () => {
    const statusFor = async (host: string) => {
      const [response] = await once(request(`${url}/authorize`, { headers: { host } }).end(), "response");
      await text(response);
      return response.statusCode;
    };
    const { port } = new URL(url);
    expect(await statusFor("attacker.example")).toBe(421);
    expect(await statusFor(`attacker.example:${port}`)).toBe(421);
    expect(await statusFor(`localhost:${port}`)).toBe(400);
  });

  test("refuses repeated parameters and large bodies, and has no other page", async () => {
    const { address } = await startSignIn();
    const repeated = new URL(`${address}&redirect_uri=https://attacker.example/`);
    expect((await fetch(repeated)).status).toBe(400);
    expect((await post(`${url}/token`, { client_id: "x".repeat(17_000) })).status).toBe(413);
    expect((await fetch(`${url}/userinfo`)).status).toBe(404);
    expect((await fetch(address, { method: "PUT" })).status).toBe(404);
  });

  test("allows its page its own style and the way back, and no script", async () => {
    const { address } = await startSignIn();
    const policy = (await fetch(address)).headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self' http:\/\/localhost:4000;/,
    );
    expect(policy).not.toContain("unsafe");
  });
});
