import { createServer } from "node:http";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listen } from "../../localstack/tcp.ts";
import { authenticate } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";

/** test/security/tokens.test.ts has the tokens that an attacker would make. */
const ISSUER = "https://issuer.test";
const AUDIENCE = "antler";

interface Pair {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK & { readonly kid: string; readonly alg: string };
}

/** The key set server's response and request count. */
let keySetResponse: { status: number; body: string };
let requestCount = 0;
let urls = 0;

async function makePair(kid: string, alg = "ES256"): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

function serve(...keys: JWK[]) {
  keySetResponse = { status: 200, body: JSON.stringify({ keys }) };
}

const pair = await makePair("key-1");
const others = await makePair("key-1");
const server = createServer((_request, response) => {
  requestCount++;
  response.writeHead(keySetResponse.status, { "content-type": "application/json" }).end(keySetResponse.body);
});
const baseUrl = `http://127.0.0.1:${await listen(server)}`;

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  // A new URL each time, because authenticate() caches the key set by URL.
  vi.stubEnv("JWT_JWKS_URL", `${baseUrl}/${++urls}`);
  vi.stubEnv("JWT_ISSUER", ISSUER);
  vi.stubEnv("JWT_AUDIENCE", AUDIENCE);
  serve(pair.jwk);
  requestCount = 0;
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const seconds = () => Math.floor(Date.now() / 1000);
const claims = (): JWTPayload => ({ sub: "alice", iss: ISSUER, aud: AUDIENCE, exp: seconds() + 60 });

async function bearer(change: JWTPayload = {}, { privateKey, jwk } = pair, kid = jwk.kid): Promise<string> {
  const token = new SignJWT({ ...claims(), ...change }).setProtectedHeader({ alg: jwk.alg, kid });
  return `Bearer ${await token.sign(privateKey)}`;
}

async function problemOf(authorization: string | undefined): Promise<HttpProblem> {
  try {
    await authenticate(authorization);
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
  throw new Error("The token was taken");
}

async function expectAccepted(authorization: string) {
  expect(await authenticate(authorization)).toMatchObject({ subject: "alice" });
}

async function expectUnauthorized(authorization: string) {
  expect(await problemOf(authorization)).toMatchObject({
    code: "unauthorized",
    options: { headers: { "www-authenticate": 'Bearer realm="antler", error="invalid_token"' } },
  });
}

describe("a valid token", () => {
  it("has the subject of the caller", async () => {
    expect(await authenticate(await bearer())).toEqual({ subject: "alice", scopes: new Set() });
  });

  it("has the scopes of the caller", async () => {
    const { scopes } = await authenticate(await bearer({ scope: "wallets:read wallets:admin" }));
    expect(scopes).toEqual(new Set(["wallets:read", "wallets:admin"]));
  });

  it.each(["RS256", "PS256", "EdDSA"])("can be signed with %s", async (alg) => {
    const key = await makePair("key-2", alg);
    serve(pair.jwk, key.jwk);
    await expectAccepted(await bearer({}, key));
  });

  it("can have several audiences, including this API", async () => {
    await expectAccepted(await bearer({ aud: ["other", AUDIENCE] }));
  });

  it("is accepted a few seconds after it expires, because clocks differ", async () => {
    await expectAccepted(await bearer({ exp: seconds() - 2 }));
  });

  it("is accepted with the scheme in any case", async () => {
    await expectAccepted((await bearer()).replace("Bearer", "bearer"));
  });

  it("does not request the cached key set again", async () => {
    for (let times = 1; times <= 5; times++) await authenticate(await bearer());
    expect(requestCount).toBe(1);
  });
});

describe("a missing token", () => {
  it.each([undefined, "", "Bearer", "Bearer ", "Basic YWxpY2U6cGFzcw==", "Token abc", "Bearer a b", "alice"])(
    "is the result of %j: 401 with a challenge, without a request for the key set",
    async (authorization) => {
      expect(await problemOf(authorization)).toMatchObject({
        code: "unauthorized",
        options: { headers: { "www-authenticate": 'Bearer realm="antler"' } },
      });
      expect(requestCount).toBe(0);
    },
  );

  it("is the result of a token above the length limit", async () => {
    expect((await problemOf(await bearer({ padding: "x".repeat(10_000) }))).code).toBe("unauthorized");
    expect(requestCount).toBe(0);
  });
});

describe("an invalid token", () => {
  it.each([
    ["has expired", () => ({ exp: seconds() - 10 })],
    ["is not valid yet", () => ({ nbf: seconds() + 60 })],
  ])("is one that %s", async (_what, change) => {
    await expectUnauthorized(await bearer(change()));
  });

  it.each(["x", "x.y", "x.y.z", "..", "a.b.c.d.e", "%%%.%%%.%%%", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"])(
    "is what %j is",
    async (token) => {
      await expectUnauthorized(`Bearer ${token}`);
    },
  );

  it("gets a response without the reason", async () => {
    const problem = await problemOf(await bearer({ aud: "other" }));
    expect(problem.message).toBe("A valid bearer token is required");
    expect(problem.cause).toBeInstanceOf(Error);
  });
});

describe("a key set that can't be read", () => {
  const unavailable = { code: "unavailable", options: { headers: { "retry-after": "1" } } };

  it.each([
    ["fails", 500, "{}"],
    ["has lost them", 404, "not found"],
    ["responds without JSON", 200, "<html>"],
    ["responds without a key set", 200, '{"keys":"none"}'],
  ])("makes the service unavailable, not the token invalid: the server %s", async (_what, status, body) => {
    keySetResponse = { status, body };
    expect(await problemOf(await bearer())).toMatchObject(unavailable);
  });

  it("makes the service unavailable when the server is down", async () => {
    const gone = createServer();
    const url = `http://127.0.0.1:${await listen(gone)}`;
    await new Promise((resolve) => gone.close(resolve));
    vi.stubEnv("JWT_JWKS_URL", url);

    expect(await problemOf(await bearer())).toMatchObject(unavailable);
  });

  it("is read again once the server is available", async () => {
    keySetResponse = { status: 500, body: "" };
    await problemOf(await bearer());
    serve(pair.jwk);

    await expectAccepted(await bearer());
  });

  it("does not change the response to a token that is invalid with any key", async () => {
    keySetResponse = { status: 500, body: "" };
    await expectUnauthorized(`Bearer ${new UnsecuredJWT(claims()).encode()}`);
    await expectUnauthorized("Bearer x.y.z");
  });
});

describe("a key rotation", () => {
  it("takes effect when a token has a new key id", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const fresh = await makePair("key-2");
    await authenticate(await bearer());
    serve(pair.jwk, fresh.jwk);
    vi.setSystemTime(Date.now() + 31_000);

    await expectAccepted(await bearer({}, fresh));
    expect(requestCount).toBe(2);
  });

  it("does not cause a request for every token with an unknown key id", async () => {
    await authenticate(await bearer());
    for (const kid of ["a", "b", "c", "d"]) await expectUnauthorized(await bearer({}, others, kid));
    expect(requestCount).toBe(1);
  });

  it("makes tokens of a removed key invalid within ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const fresh = await makePair("key-2");
    await authenticate(await bearer());
    serve(fresh.jwk);
    vi.setSystemTime(Date.now() + 601_000);

    await expectUnauthorized(await bearer());
  });
});

describe("a missing setting", () => {
  it.each(["JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"])("makes authentication fail: %s", async (name) => {
    vi.stubEnv(name, "");
    await expect(authenticate(await bearer())).rejects.toThrow(name);
  });
});
