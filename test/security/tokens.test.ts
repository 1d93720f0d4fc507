import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { importJWK, type JWK, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { movement, newUser, tokenOf, walletOf } from "../../testkit/client.ts";
import { codeOf } from "../../testkit/rawClient.ts";
import { attack, isOurs, startTrap } from "./attacker.ts";

const alice = newUser("alice");
const balances = `/v1/users/${alice}/balances`;

// In a fresh clone the first token generates the key pair.
const goodToken = await tokenOf(alice);
/** The provider's keys. The key set publishes the public one, so an attacker has it. */
const providerJwk: JWK = JSON.parse(readFileSync(join(import.meta.dirname, "../../.antler/identity-key.json"), "utf8"));
const { n = "", e = "" } = providerJwk;
const publicKey = createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" });
const attacker = generateKeyPairSync("rsa", { modulusLength: 2048 });
const attackerJwk = attacker.publicKey.export({ format: "jwk" });
const trap = await startTrap({ keys: [{ ...attackerJwk, kid: "attacker", alg: "RS256", use: "sig" }] });
afterAll(() => trap.stop());

beforeAll(async () => {
  await walletOf(inject("apiUrl"), alice).deposit(movement("USD", "7.00"));
});

const encode = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function claims(): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return { sub: alice, iss: "antler-local", aud: "antler", iat: now, exp: now + 3600, scope: "wallets:admin" };
}

type Signer = (input: string) => Buffer;
const withAttackersKey: Signer = (input) => sign("sha256", Buffer.from(input), attacker.privateKey);
const withNothing: Signer = () => Buffer.alloc(0);
const withSecret =
  (secret: string | Buffer, hash = "sha256"): Signer =>
  (input) =>
    createHmac(hash, secret).update(input).digest();

/** A token of the attacker's; a string header or payload is used as it is, so it need not be JSON. */
function forge(header: unknown, signer: Signer, payload: unknown = claims()): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${signer(input).toString("base64url")}`;
}

/** A token with changed claims under the provider's valid signature. */
async function signedByProvider(change: Record<string, unknown>): Promise<string> {
  const key = await importJWK(providerJwk, "RS256");
  const payload: JWTPayload = { ...claims(), scope: undefined, ...change };
  return new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: providerJwk.kid ?? "" }).sign(key);
}

/** Signed with the provider's key, with header fields that a library refuses to sign. */
function signedWithHeader(extra: Readonly<Record<string, unknown>>): string {
  const key = createPrivateKey({ key: { ...providerJwk }, format: "jwk" });
  return forge({ alg: "RS256", kid: providerJwk.kid, ...extra }, (input) => sign("sha256", Buffer.from(input), key));
}

async function present(authorization: string, path = balances) {
  const response = await attack("GET", path, { authorization });
  expect(response.body).not.toContain("7.00");
  return response;
}

async function expectRefused(token: string, challenge = 'Bearer realm="antler", error="invalid_token"'): Promise<void> {
  const response = await present(`Bearer ${token}`);
  expect(codeOf(response)).toBe("401 unauthorized");
  expect(response.headers.get("www-authenticate")).toBe(challenge);
}

test("the tokens that the attacks start from are valid", async () => {
  const mallory = newUser("mallory");
  for (const token of [
    goodToken,
    await signedByProvider({}),
    await signedByProvider({ sub: mallory, scope: "wallets:admin" }),
    signedWithHeader({}),
  ]) {
    const response = await attack("GET", balances, { authorization: `Bearer ${token}` });
    expect(response.status).toBe(200);
    expect(response.body).toContain("7.00");
  }
});

describe("a token without a signature is refused,", () => {
  test.each(["none", "None", "NONE", "nOnE", "", "null"])("alg %j", async (alg) => {
    await expectRefused(forge({ alg, kid: providerJwk.kid }, withNothing));
    await expectRefused(
      forge({ alg, kid: providerJwk.kid }, () => Buffer.from(goodToken.split(".")[2] ?? "", "base64url")),
    );
  });

  test.each([[null], [0], [true], [[]], [["none"]], [["RS256"]], [{}]])("alg %j", async (alg) => {
    await expectRefused(forge({ alg, kid: providerJwk.kid }, withNothing));
  });

  test("or with a valid signature removed, truncated or doubled", async () => {
    const [header = "", payload = "", signature = ""] = goodToken.split(".");
    for (const token of [
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature.slice(0, -8)}`,
      `${header}.${payload}.${signature}${signature}`,
      `${header}.${payload}.${signature}.`,
      `${header}.${payload}.${signature}.${signature}.${signature}`,
      `.${payload}.${signature}`,
      `${header}..${signature}`,
      "..",
      `${header}.${encode(claims())}.${signature}`,
    ]) {
      await expectRefused(token);
    }
  });
});

describe("a token signed by an HMAC whose secret is the public key is refused,", () => {
  test.each([256, 384, 512])("HS%i", async (bits) => {
    const header = { alg: `HS${bits}`, typ: "JWT", kid: providerJwk.kid };
    for (const secret of [
      publicKey.export({ format: "pem", type: "spki" }),
      publicKey.export({ format: "pem", type: "pkcs1" }),
      publicKey.export({ format: "der", type: "spki" }),
      JSON.stringify(publicKey.export({ format: "jwk" })),
      n,
      Buffer.from(n, "base64url"),
      "",
      "secret",
    ]) {
      await expectRefused(forge(header, withSecret(secret, `sha${bits}`)));
    }
  });
});

describe("a token that names its own key is refused, and nothing is fetched,", () => {
  test.each([
    ["jwk", () => ({ jwk: attackerJwk })],
    ["jwk with the provider's kid", () => ({ jwk: { ...attackerJwk, kid: providerJwk.kid, alg: "RS256" } })],
    ["jku", () => ({ jku: trap.url })],
    ["x5u", () => ({ x5u: trap.url })],
    ["x5c", () => ({ x5c: [attacker.publicKey.export({ format: "der", type: "spki" }).toString("base64")] })],
    ["iss as a URL", () => ({ iss: trap.url })],
    ["all of them", () => ({ jwk: attackerJwk, jku: trap.url, x5u: trap.url, x5t: "x" })],
  ])("%s", async (_name, extra) => {
    for (const kid of [providerJwk.kid, "attacker", undefined]) {
      await expectRefused(forge({ alg: "RS256", typ: "JWT", kid, ...extra() }, withAttackersKey));
      await expectRefused(forge({ alg: "RS256", kid, ...extra() }, withAttackersKey, { ...claims(), iss: trap.url }));
    }
    expect(trap.requests()).toBe(0);
  });
});

describe("a token with a malicious kid is refused,", () => {
  test.each([
    ["a path", "../../../../../../dev/null"],
    ["a path with a null byte", "../../etc/passwd\0.pem"],
    ["SQL", "x' UNION SELECT 'secret' -- "],
    ["a command", "| curl 127.0.0.1"],
    ["a prototype's name", "__proto__"],
    ["another prototype's name", "toString"],
    ["very long", "k".repeat(5000)],
    ["a lone surrogate", "\ud800"],
    ["a number", 0],
    ["null", null],
    ["an array", []],
    ["an object", { toString: "x" }],
  ])("%s", async (_name, kid) => {
    await expectRefused(forge({ alg: "RS256", kid }, withAttackersKey));
    await expectRefused(forge({ alg: "HS256", kid }, withSecret("")));
    await expectRefused(forge({ alg: "HS256", kid }, withSecret("secret")));
  });

  test("a URL", async () => {
    await expectRefused(forge({ alg: "RS256", kid: trap.url }, withAttackersKey));
    expect(trap.requests()).toBe(0);
  });
});

describe("a token of another kind is refused:", () => {
  test.each(["RS384", "RS512", "PS256", "ES256", "EdDSA", "ES256K", "RSA1_5", "dir", "__proto__", "constructor"])(
    "alg %s over the provider's key",
    async (alg) => {
      await expectRefused(forge({ alg, kid: providerJwk.kid }, withAttackersKey));
    },
  );

  test.each([
    ["unknown", { crit: ["http://example.com/x"], "http://example.com/x": true }],
    ["empty", { crit: [] }],
    ["not an array", { crit: "exp" }],
    ["of a registered name", { crit: ["alg"] }],
    ["of a prototype's name", { crit: ["__proto__"] }],
    ["of b64", { crit: ["b64"], b64: false }],
  ])("crit %s", async (_name, extra) => {
    await expectRefused(forge({ alg: "RS256", kid: providerJwk.kid, ...extra }, withAttackersKey));
    // Also with a valid signature, because every critical header must be understood.
    await expectRefused(signedWithHeader(extra));
  });

  test.each([
    ["not JSON", "{"],
    ["an array", []],
    ["a string", '"alice"'],
    ["null", "null"],
    ["empty", ""],
    ["deeply nested", "[".repeat(2000)],
    ["another token", "eyJhbGciOiJub25lIn0.e30."],
  ])("a payload or header that is %s", async (_name, part) => {
    await expectRefused(forge({ alg: "RS256", kid: providerJwk.kid }, withAttackersKey, part));
    await expectRefused(forge(part, withAttackersKey));
    await expectRefused(forge(part, withNothing));
  });

  test("a valid token inside another one", async () => {
    await expectRefused(forge({ alg: "RS256", cty: "JWT", kid: providerJwk.kid }, withAttackersKey, goodToken));
    await expectRefused(forge({ alg: "none", cty: "JWT" }, withNothing, goodToken));
  });

  test("a token in JSON form, and an encrypted one", async () => {
    const [header, payload, signature] = goodToken.split(".");
    await expectRefused(encode({ protected: header, payload, signature }));
    await expectRefused(JSON.stringify({ protected: header, payload, signature }));
    await expectRefused(
      `${encode({ alg: "dir", enc: "A256GCM" })}..${encode("iv")}.${encode("text")}.${encode("tag")}`,
    );
  });

  test("duplicate claims under a valid signature", async () => {
    const [header = "", payload = "", signature = ""] = goodToken.split(".");
    const text = Buffer.from(payload, "base64url").toString();
    const twice = encode(text.replace("{", '{"sub":"bob",'));
    const after = encode(text.replace(/\}$/, ',"sub":"bob"}'));
    await expectRefused(`${header}.${twice}.${signature}`);
    await expectRefused(`${header}.${after}.${signature}`);
  });
});

describe("a token that the provider signed with other claims is refused:", () => {
  test.each([
    ["another audience", { aud: "another-service" }],
    ["an audience with the same prefix", { aud: "antlers" }],
    ["no audience", { aud: undefined }],
    ["an audience of another type", { aud: { antler: true } }],
    ["another issuer", { iss: "antler-local.example.com" }],
    ["no issuer", { iss: undefined }],
    ["issuers in an array", { iss: ["antler-local"] }],
    ["no expiry", { exp: undefined }],
    ["an expiry in the past", { exp: 1 }],
    ["an expiry that is a string", { exp: "99999999999" }],
    ["a start in the future", { nbf: 99_999_999_999 }],
    ["no subject", { sub: undefined }],
    ["an empty subject", { sub: "" }],
    ["null for the subject", { sub: null }],
  ])("%s", async (_name, change) => {
    await expectRefused(await signedByProvider(change));
  });

  test.each([
    ["an array of the user", [alice]],
    ["an object that prints as the user", { toString: alice }],
    ["the user in upper case", alice.toUpperCase()],
    ["the user and a null byte", `${alice}\0`],
    ["the user and a space", `${alice} `],
    ["a prefix of the user", alice.slice(0, -1)],
    ["the user with a full-width character", alice.replace("a", "\uff41")],
    ["a prototype's name", "__proto__"],
    ["true", true],
  ])("a subject that is %s", async (_name, sub) => {
    expect(codeOf(await present(`Bearer ${await signedByProvider({ sub })}`))).toMatch(/^40[13] /);
  });
});

describe("the scope wallets:admin is not granted by", () => {
  test.each([
    ["a longer name", { scope: "wallets:adminx" }],
    ["a longer name before it", { scope: "xwallets:admin" }],
    ["a part", { scope: "wallets" }],
    ["upper case", { scope: "WALLETS:ADMIN" }],
    ["a space inside", { scope: "wallets: admin" }],
    ["a comma", { scope: "openid,wallets:admin" }],
    ["a tab", { scope: "openid\twallets:admin" }],
    ["a line feed", { scope: "openid\nwallets:admin" }],
    ["a null byte", { scope: "wallets:admin\0" }],
    ["a zero-width space", { scope: "wallets\u200b:admin" }],
    ["a look-alike character", { scope: "wаllets:admin" }],
    ["a pattern", { scope: "wallets:*" }],
    ["an array", { scope: ["wallets:admin"] }],
    ["an array in an array", { scope: [["wallets:admin"]] }],
    ["an object", { scope: { "wallets:admin": true } }],
    ["an object with a split of its own", { scope: { split: "wallets:admin", 0: "wallets:admin", length: 1 } }],
    ["claims of other names", { scp: ["wallets:admin"], scopes: "wallets:admin", permissions: ["wallets:admin"] }],
    ["a nested claim", { claims: { scope: "wallets:admin" }, antler: { scope: "wallets:admin" } }],
    ["the name of a prototype", { scope: "__proto__ constructor has" }],
  ])("%s", async (_name, change) => {
    const token = await signedByProvider({ sub: newUser("mallory"), ...change });
    expect(codeOf(await present(`Bearer ${token}`))).toBe("403 forbidden");
  });
});

describe("a malformed Authorization header is refused:", () => {
  test.each([
    ["a tab after the scheme", (token: string) => `Bearer\t${token}`],
    ["a tab inside the signature", (token: string) => `Bearer ${token.slice(0, -9)}\t${token.slice(-9)}`],
    ["a space inside the signature", (token: string) => `Bearer ${token.slice(0, -9)} ${token.slice(-9)}`],
    ["a no-break space after the token", (token: string) => `Bearer ${token}\u00a0`],
    ["quotes", (token: string) => `Bearer "${token}"`],
    ["another scheme", (token: string) => `Token ${token}`],
    ["no scheme", (token: string) => token],
    ["the scheme twice", (token: string) => `Bearer Bearer ${token}`],
    ["two tokens with a comma", (token: string) => `Bearer ${token}, Bearer ${token}`],
    ["a parameter", (token: string) => `Bearer token=${token}`],
    ["a percent sign", (token: string) => `Bearer ${token.replace(".", "%2e")}`],
    ["nothing but the scheme", () => "Bearer"],
    ["padding in the middle", (token: string) => `Bearer ${token.replace(".", "=.")}`],
  ])("%s", async (_name, authorization) => {
    expect(codeOf(await present(authorization(goodToken)))).toBe("401 unauthorized");
  });

  test("a token that is huge", async () => {
    const payload = { ...claims(), padding: "x".repeat(6_000) };
    for (const token of [
      forge({ alg: "RS256", kid: providerJwk.kid }, withAttackersKey, payload),
      `${goodToken}${"A".repeat(10_000)}`,
      await signedByProvider({ padding: "x".repeat(9_000) }),
    ]) {
      await expectRefused(token, 'Bearer realm="antler"');
    }
  });

  test("a token beyond 16 KB, which Node's HTTP server refuses before our code", async () => {
    const response = await present(`Bearer ${goodToken}${"A".repeat(70_000)}`);
    expect([response.status, isOurs(response)]).toEqual([400, false]);
  });

  test("two Authorization headers, which are joined with a comma", async () => {
    const mallory = await tokenOf(newUser("mallory"));
    const forged = forge({ alg: "none" }, withNothing);
    for (const last of [`Bearer ${goodToken}`, `Bearer ${mallory}`, `Bearer ${forged}`, "Bearer", ""]) {
      const response = await attack("GET", balances, [
        ["Authorization", `Bearer ${goodToken}`],
        ["authorization", last],
      ]);
      expect(codeOf(response)).toBe("401 unauthorized");
    }
  });

  test("serverless-offline's header that overrides claims is ignored", async () => {
    const response = await attack("GET", balances, {
      "sls-offline-authorizer-override": JSON.stringify({ jwt: { claims: claims() }, lambda: claims() }),
    });
    expect(codeOf(response)).toBe("401 unauthorized");
  });

  test("a token in the query, in a cookie or in the body", async () => {
    expect(codeOf(await attack("GET", `${balances}?access_token=${goodToken}`))).toBe("401 unauthorized");
    expect(codeOf(await attack("GET", balances, { cookie: `access_token=${goodToken}` }))).toBe("401 unauthorized");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const deposits = `/v1/users/${alice}/deposits`;
    expect(codeOf(await attack("POST", deposits, form, `access_token=${goodToken}`))).toBe("401 unauthorized");
  });
});

describe("at random,", () => {
  test("a token with one changed character in its header or payload is refused", async () => {
    const signed = goodToken.lastIndexOf(".");
    const changes = fc.record({ at: fc.nat(signed - 1), by: fc.constantFrom(..."Aa0_-.") });
    await fc.assert(
      fc.asyncProperty(changes, async ({ at, by }) => {
        fc.pre(goodToken[at] !== by);
        await expectRefused(goodToken.slice(0, at) + by + goodToken.slice(at + 1));
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  test("a forged token with any header is refused", async () => {
    const names = ["alg", "kid", "typ", "cty", "crit", "b64", "jwk", "jku", "x5c", "x5t", "zip", "enc", "p2c"];
    const values = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom("RS256", "ES256", "none"));
    const header = fc.dictionary(fc.constantFrom(...names), values);
    await fc.assert(
      fc.asyncProperty(header, fc.boolean(), async (extra, known) => {
        const base = known ? { alg: "RS256", kid: providerJwk.kid } : {};
        const token = forge({ ...base, ...extra }, withAttackersKey);
        fc.pre(token.length < 8_000);
        await expectRefused(token);
      }),
      { seed: 5, numRuns: 300 },
    );
    expect(trap.requests()).toBe(0);
  });
});
