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
import { authenticate } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";

const ISSUER = "https://issuer.test";
const AUDIENCE = "antler";

interface Pair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

/** What the key server answers, and how often it was asked. */
let answer: { status: number; body: string };
let asked = 0;
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
  answer = { status: 200, body: JSON.stringify({ keys }) };
}

function listen(instance: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    instance.listen(0, "127.0.0.1", () => {
      const address = instance.address();
      if (typeof address === "object" && address) resolve(`http://127.0.0.1:${address.port}`);
      else reject(new Error("The server has no port"));
    });
  });
}

beforeAll(async () => {
  [pair, others] = await Promise.all([makePair("key-1"), makePair("key-1")]);
  server = createServer((_request, response) => {
    asked++;
    response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
  });
  baseUrl = await listen(server);
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  // A new address each time: the key set of one test is not kept for the next.
  vi.stubEnv("JWT_JWKS_URL", `${baseUrl}/${++urls}`);
  vi.stubEnv("JWT_ISSUER", ISSUER);
  vi.stubEnv("JWT_AUDIENCE", AUDIENCE);
  serve(pair.jwk);
  asked = 0;
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

describe("a good token", () => {
  it("tells who calls", async () => {
    expect(await authenticate(`Bearer ${await sign()}`)).toEqual({ subject: "alice", scopes: new Set() });
  });

  it("tells what its scopes allow", async () => {
    const { scopes } = await authenticate(`Bearer ${await sign({ scope: "wallets:read wallets:admin" })}`);
    expect(scopes).toEqual(new Set(["wallets:read", "wallets:admin"]));
  });

  it("has no scopes out of a claim that is no text", async () => {
    const { scopes } = await authenticate(`Bearer ${await sign({ scope: ["wallets:admin"] })}`);
    expect(scopes).toEqual(new Set());
  });

  it.each(["RS256", "PS256", "EdDSA"])("may be signed with %s", async (alg) => {
    const key = await makePair("key-2", alg);
    serve(pair.jwk, key.jwk);
    expect(await authenticate(`Bearer ${await sign({}, { key, alg, kid: "key-2" })}`)).toMatchObject({
      subject: "alice",
    });
  });

  it("may name several audiences, ours among them", async () => {
    expect(await authenticate(`Bearer ${await sign({ aud: ["other", AUDIENCE] })}`)).toMatchObject({
      subject: "alice",
    });
  });

  it("may be a few seconds past its end: clocks differ", async () => {
    expect(await authenticate(`Bearer ${await sign({ exp: seconds() - 2 })}`)).toMatchObject({ subject: "alice" });
  });

  it("is taken whatever the case of the scheme", async () => {
    expect(await authenticate(`bearer ${await sign()}`)).toMatchObject({ subject: "alice" });
  });

  it("costs one request for the keys, however many there are", async () => {
    for (let times = 1; times <= 5; times++) await authenticate(`Bearer ${await sign()}`);
    expect(asked).toBe(1);
  });
});

describe("no token", () => {
  it.each([undefined, "", "Bearer", "Bearer ", "Basic YWxpY2U6cGFzcw==", "Token abc", "Bearer a b", "alice"])(
    "is what %j is: 401 with a challenge, and no look at the keys",
    async (authorization) => {
      expect(await problemOf(authorization)).toMatchObject({
        code: "unauthorized",
        options: { headers: { "www-authenticate": 'Bearer realm="antler"' } },
      });
      expect(asked).toBe(0);
    },
  );

  it("is what a good token without its scheme is", async () => {
    expect((await problemOf(await sign())).code).toBe("unauthorized");
  });

  it("is what a huge token is, which nobody parses", async () => {
    const huge = await sign({ padding: "x".repeat(10_000) });
    expect((await problemOf(`Bearer ${huge}`)).code).toBe("unauthorized");
    expect(asked).toBe(0);
  });
});

describe("a bad token", () => {
  it("is one that nobody signed", async () => {
    await expectUnauthorized(new UnsecuredJWT(claims()).encode());
  });

  it("is one that says alg none over a good signature", async () => {
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

  it("is one that brings its own key", async () => {
    const token = await new SignJWT(claims())
      .setProtectedHeader({ alg: "ES256", jwk: others.jwk })
      .sign(others.privateKey);
    await expectUnauthorized(token);
  });

  it("is one whose payload was changed", async () => {
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

  it("is one past its end", async () => {
    await expectUnauthorized(await sign({ exp: seconds() - 10 }));
  });

  it("is one that is not valid yet", async () => {
    await expectUnauthorized(await sign({ nbf: seconds() + 60 }));
  });

  it("is one whose end is no number", async () => {
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

  it("tells the caller nothing of what is wrong with it", async () => {
    const problem = await problemOf(`Bearer ${await sign({ aud: "other" })}`);
    expect(problem.message).toBe("A valid bearer token is required");
    expect(problem.cause).toBeInstanceOf(Error);
  });
});

describe("keys that can't be read", () => {
  const unavailable = { code: "unavailable", options: { headers: { "retry-after": "1" } } };

  it.each([
    ["fails", 500, "{}"],
    ["has lost them", 404, "not found"],
    ["answers something that is no JSON", 200, "<html>"],
    ["answers something that is no key set", 200, '{"keys":"none"}'],
  ])("make the service unavailable, not the token bad: the server %s", async (_what, status, body) => {
    answer = { status, body };
    expect(await problemOf(`Bearer ${await sign()}`)).toMatchObject(unavailable);
  });

  it("make the service unavailable when nobody listens", async () => {
    const gone = createServer();
    const url = await listen(gone);
    await new Promise((resolve) => gone.close(resolve));
    vi.stubEnv("JWT_JWKS_URL", url);

    expect(await problemOf(`Bearer ${await sign()}`)).toMatchObject(unavailable);
  });

  it("are read again once the server is back", async () => {
    answer = { status: 500, body: "" };
    await problemOf(`Bearer ${await sign()}`);
    serve(pair.jwk);

    expect(await authenticate(`Bearer ${await sign()}`)).toMatchObject({ subject: "alice" });
  });

  it("don't matter to a token that can't be good whatever the keys are", async () => {
    answer = { status: 500, body: "" };
    await expectUnauthorized(new UnsecuredJWT(claims()).encode());
    await expectUnauthorized("x.y.z");
  });
});

describe("a change of keys", () => {
  it("is picked up when a token names a key that is new", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const fresh = await makePair("key-2");
    await authenticate(`Bearer ${await sign()}`);
    serve(pair.jwk, fresh.jwk);
    vi.setSystemTime(Date.now() + 31_000);

    expect(await authenticate(`Bearer ${await sign({}, { key: fresh, kid: "key-2" })}`)).toMatchObject({
      subject: "alice",
    });
    expect(asked).toBe(2);
  });

  it("can't be pretended to make us ask for the keys with every token", async () => {
    await authenticate(`Bearer ${await sign()}`);
    for (const kid of ["a", "b", "c", "d"]) await expectUnauthorized(await sign({}, { key: others, kid }));
    expect(asked).toBe(1);
  });

  it("takes an old key away: in ten minutes at most its tokens are bad", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const fresh = await makePair("key-2");
    await authenticate(`Bearer ${await sign()}`);
    serve(fresh.jwk);
    vi.setSystemTime(Date.now() + 601_000);

    await expectUnauthorized(await sign());
  });
});

describe("a setting that is missing", () => {
  it.each(["JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"])("lets nobody in: %s", async (name) => {
    vi.stubEnv(name, "");
    await expect(authenticate(`Bearer ${await sign()}`)).rejects.toThrow(name);
  });
});
