import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { listen } from "./tcp.ts";

/**
 * The local stack's OpenID provider, for development: one key pair per checkout, a key set over HTTP, and a token for any
 * user. A deployed stack trusts the provider of `JWT_JWKS_URL`.
 */
const ALGORITHM = "RS256";
const KEY_FILE = join(import.meta.dirname, "../.antler/identity-key.json");
const TOKEN_LIFETIME = "12h";

export interface TokenRequest {
  readonly subject: string;
  readonly scope: string | undefined;
  readonly issuer: string;
  readonly audience: string;
}

/** A token with the claims of a real provider's, valid for {@link TOKEN_LIFETIME}. */
export async function issueToken({ subject, scope, issuer, audience }: TokenRequest): Promise<string> {
  const key = await privateKey();
  return new SignJWT(scope === undefined ? {} : { scope })
    .setProtectedHeader({ alg: ALGORITHM, kid: key.kid ?? "" })
    .setSubject(subject)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(TOKEN_LIFETIME)
    .sign(await importJWK(key, ALGORITHM));
}

/** Serves the key set on a free port of the loopback interface. */
export async function serveKeySet(): Promise<{ readonly url: string; stop(): void }> {
  const { kty, n, e, kid } = await privateKey();
  const keySet = JSON.stringify({ keys: [{ kty, n, e, kid, alg: ALGORITHM, use: "sig" }] });
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/json").end(keySet);
  });
  return {
    url: `http://127.0.0.1:${await listen(server)}/.well-known/jwks.json`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function privateKey(): Promise<JWK> {
  try {
    return JSON.parse(readFileSync(KEY_FILE, "utf8"));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: crypto.randomUUID() };
  createKeyFile(JSON.stringify(key));
  return JSON.parse(readFileSync(KEY_FILE, "utf8"));
}

/** Two stacks may start in a fresh checkout at the same time: both use the key that is completely written first. */
function createKeyFile(key: string): void {
  mkdirSync(dirname(KEY_FILE), { recursive: true });
  const draft = `${KEY_FILE}.${process.pid}`;
  writeFileSync(draft, key, { mode: 0o600 });
  try {
    linkSync(draft, KEY_FILE);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(draft);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
