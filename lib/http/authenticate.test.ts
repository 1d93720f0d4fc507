import { createServer, type Server } from "node:http";
import {
  base64url,
  CompactSign,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { listen } from "../../localstack/tcp.ts";
import { authenticate } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";

const ISSUER = "https://issuer.test";
const AUDIENCE = "antler";

interface Pair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

/** The key set server's response and request count. */
let keySetResponse: { status: number; body: string };
let requestCount = 0;
let server: Server;
let baseUrl: string;
let urls = 0;
let pair: Pair;
let others: Pair;

async function makePair(kid: string, alg = "ES256"): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

function serve(...keys: JWK[]) {
  keySetResponse = { status: 200, body: JSON.stringify({ keys }) };
}

beforeAll(async () => {
  [pair, others] = await Promise.all([makePair("key-1"), makePair("key-1")]);
  server = createServer((_request, response) => {
    requestCount++;
    response.writeHead(keySetResponse.status, { "content-type": "application/json" }).end(keySetResponse.body);
  });
  baseUrl = `http://127.0.0.1:${await listen(server)}`;
});

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

interface Signing {
  readonly key?: Pair;
  readonly alg?: string;
  readonly kid?: string;
}

function sign(change: JWTPayload = {}, { key = pair, alg = "ES256", kid = "key-1" }: Signing = {}): Promise<string> {
  const payload: JWTPayload = { ...claims(), ...change };
  return new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key.privateKey);
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

async function expectUnauthorized(token: string) {
  expect(await problemOf(`Bearer ${token}`)).toMatchObject({
    code: "unauthorized",
    options: { headers: { "www-authenticate": 'Bearer realm="antler", error="invalid_token"' } },
  });
}

describe("a valid token", () => {
  it("has the subject of the caller", async () => {
    expect(await authenticate(`Bearer ${await sign()}`)).toEqual({ subject: "alice", scopes: new Set() });
  });

  it("has the scopes of the caller", async () => {
    const { scopes } = await authenticate(`Bearer ${await sign({ scope: "wallets:read wallets:admin" })}`);
    expect(scopes).toEqual(new Set(["wallets:read", "wallets:admin"]));
  });

  it("has no scopes if the claim is not a string", async () => {
    const { scopes } = await authenticate(`Bearer ${await sign({ scope: ["wallets:admin"] })}`);
    expect(scopes).toEqual(new Set());
  });

  it.each(["RS256", "PS256", "EdDSA"])("can be signed with %s", async (alg) => {
    const key = await makePair("key-2", alg);
    serve(pair.jwk, key.jwk);
    expect(await authenticate(`Bearer ${await sign({}, { key, alg, kid: "key-2" })}`)).toMatchObject({
      subject: "alice",
    });
  });

  it("can have several audiences, including this API", async () => {
    expect(await authenticate(`Bearer ${await sign({ aud: ["other", AUDIENCE] })}`)).toMatchObject({
      subject: "alice",
    });
  });

  it("is accepted a few seconds after it expires, because clocks differ", async () => {
    expect(await authenticate(`Bearer ${await sign({ exp: seconds() - 2 })}`)).toMatchObject({ subject: "alice" });
  });

  it("is accepted with the scheme in any case", async () => {
    expect(await authenticate(`bearer ${await sign()}`)).toMatchObject({ subject: "alice" });
  });

  it("does not request the cached key set again", async () => {
    for (let times = 1; times <= 5; times++) await authenticate(`Bearer ${await sign()}`);
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

  it("is the result of a valid token without its scheme", async () => {
    expect((await problemOf(await sign())).code).toBe("unauthorized");
  });

  it("is the result of a token above the length limit", async () => {
    const huge = await sign({ padding: "x".repeat(10_000) });
    expect((await problemOf(`Bearer ${huge}`)).code).toBe("unauthorized");
    expect(requestCount).toBe(0);
  });
});

describe("an invalid token", () => {
  it("is one without a signature", async () => {
    await expectUnauthorized(new UnsecuredJWT(claims()).encode());
  });

  it("is one with alg none and a valid signature", async () => {
    const [, payload, signature] = (await sign()).split(".");
    await expectUnauthorized(`${base64url.encode('{"alg":"none","kid":"key-1"}')}.${payload}.${signature}`);
  });

  it.each(["HS256", "HS512"])("is one signed with %s and the public key as the secret", async (alg) => {
    for (const secret of [await exportSPKI(pair.publicKey), JSON.stringify(pair.jwk), pair.jwk.x ?? ""]) {
      const token = await new SignJWT(claims())
        .setProtectedHeader({ alg, kid: "key-1" })
        .sign(new TextEncoder().encode(secret));
      await expectUnauthorized(token);
    }
  });

  it("is one signed with another key under a known key id", async () => {
    await expectUnauthorized(await sign({}, { key: others }));
  });

  it("is one with an unknown key id", async () => {
    await expectUnauthorized(await sign({}, { key: others, kid: "key-9" }));
  });

  it("is one with its own key in the header", async () => {
    const token = await new SignJWT(claims())
      .setProtectedHeader({ alg: "ES256", jwk: others.jwk })
      .sign(others.privateKey);
    await expectUnauthorized(token);
  });

  it("is one with a changed payload", async () => {
    const [header, , signature] = (await sign()).split(".");
    const payload = base64url.encode(JSON.stringify({ ...claims(), sub: "bob" }));
    await expectUnauthorized(`${header}.${payload}.${signature}`);
  });

  it.each([
    ["for another audience", { aud: "other" }],
    ["of another issuer", { iss: "https://evil.test" }],
    ["of an issuer that begins like ours", { iss: `${ISSUER}.evil.test` }],
    ["with an empty subject", { sub: "" }],
  ])("is one %s", async (_what, change) => {
    await expectUnauthorized(await sign(change));
  });

  it.each(["aud", "iss", "sub", "exp"])("is one without the claim %s", async (claim) => {
    const { [claim]: _, ...payload } = claims();
    await expectUnauthorized(
      await new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: "key-1" }).sign(pair.privateKey),
    );
  });

  it("is one that has expired", async () => {
    await expectUnauthorized(await sign({ exp: seconds() - 10 }));
  });

  it("is one that is not valid yet", async () => {
    await expectUnauthorized(await sign({ nbf: seconds() + 60 }));
  });

  it("is one with an expiry that is not a number", async () => {
    const payload = new TextEncoder().encode(JSON.stringify({ ...claims(), exp: "never" }));
    await expectUnauthorized(
      await new CompactSign(payload).setProtectedHeader({ alg: "ES256", kid: "key-1" }).sign(pair.privateKey),
    );
  });

  it.each(["x", "x.y", "x.y.z", "..", "a.b.c.d.e", "%%%.%%%.%%%", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"])(
    "is what %j is",
    async (token) => {
      await expectUnauthorized(token);
    },
  );

  it("gets a response without the reason", async () => {
    const problem = await problemOf(`Bearer ${await sign({ aud: "other" })}`);
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
    expect(await problemOf(`Bearer ${await sign()}`)).toMatchObject(unavailable);
  });

  it("makes the service unavailable when the server is down", async () => {
    const gone = createServer();
    const url = `http://127.0.0.1:${await listen(gone)}`;
    await new Promise((resolve) => gone.close(resolve));
    vi.stubEnv("JWT_JWKS_URL", url);

    expect(await problemOf(`Bearer ${await sign()}`)).toMatchObject(unavailable);
  });

  it("is read again once the server is available", async () => {
    keySetResponse = { status: 500, body: "" };
    await problemOf(`Bearer ${await sign()}`);
    serve(pair.jwk);

    expect(await authenticate(`Bearer ${await sign()}`)).toMatchObject({ subject: "alice" });
  });

  it("does not change the response to a token that is invalid with any key", async () => {
    keySetResponse = { status: 500, body: "" };
    await expectUnauthorized(new UnsecuredJWT(claims()).encode());
    await expectUnauthorized("x.y.z");
  });
});

describe("a key rotation", () => {
  it("takes effect when a token has a new key id", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const fresh = await makePair("key-2");
    await authenticate(`Bearer ${await sign()}`);
    serve(pair.jwk, fresh.jwk);
    vi.setSystemTime(Date.now() + 31_000);

    expect(await authenticate(`Bearer ${await sign({}, { key: fresh, kid: "key-2" })}`)).toMatchObject({
      subject: "alice",
    });
    expect(requestCount).toBe(2);
  });

  it("does not cause a request for every token with an unknown key id", async () => {
    await authenticate(`Bearer ${await sign()}`);
    for (const kid of ["a", "b", "c", "d"]) await expectUnauthorized(await sign({}, { key: others, kid }));
    expect(requestCount).toBe(1);
  });

  it("makes tokens of a removed key invalid within ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const fresh = await makePair("key-2");
    await authenticate(`Bearer ${await sign()}`);
    serve(fresh.jwk);
    vi.setSystemTime(Date.now() + 601_000);

    await expectUnauthorized(await sign());
  });
});

describe("a missing setting", () => {
  it.each(["JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"])("makes authentication fail: %s", async (name) => {
    vi.stubEnv(name, "");
    await expect(authenticate(`Bearer ${await sign()}`)).rejects.toThrow(name);
  });
});
