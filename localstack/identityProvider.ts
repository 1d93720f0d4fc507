import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { dirname, join } from "node:path";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { listen } from "./tcp.ts";

/**
 * The local stack's OpenID provider, for development: one key pair per checkout, a key set over HTTP, a token for any user,
 * and a sign-in for the console and the command line. A deployed stack trusts the provider of `JWT_JWKS_URL`.
 */
const ALGORITHM = "RS256";
const KEY_FILE = join(import.meta.dirname, "../.antler/identity-key.json");
const TOKEN_LIFETIME_SECONDS = 12 * 60 * 60;
const KEY_SET_PATH = "/.well-known/jwks.json";

export interface TokenRequest {
  readonly subject: string;
  readonly scope: string | undefined;
  readonly issuer: string;
  readonly audience: string;
  /** What the client asked to find in its ID token. */
  readonly nonce?: string | undefined;
}

/** A server on the loopback interface. */
interface Served {
  /** Of the key set. */
  readonly url: string;
  /** The issuer's URL: below it are discovery and the endpoints. */
  readonly issuer: string;
  stop(): void;
}

export interface SignInSettings {
  readonly clientId: string;
  /** Where the provider may send a browser with a code, besides the command line's own address. */
  readonly redirectUris: readonly string[];
  /** Issuer and audience of the access tokens. */
  readonly issuer: string;
  readonly audience: string;
}

/** A token with the claims of a real provider's, valid for {@link TOKEN_LIFETIME_SECONDS}. */
export async function issueToken({ subject, scope, issuer, audience, nonce }: TokenRequest): Promise<string> {
  const key = await privateKey();
  return new SignJWT({ ...(scope !== undefined && { scope }), ...(nonce !== undefined && { nonce }) })
    .setProtectedHeader({ alg: ALGORITHM, kid: key.kid ?? "" })
    .setSubject(subject)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_LIFETIME_SECONDS}s`)
    .sign(await importJWK(key, ALGORITHM));
}

/** Serves the key set on a free port of the loopback interface. */
export async function serveKeySet(): Promise<Served> {
  return serve(await keySetListener());
}

/** Serves the key set, and the sign-in of the console and the command line. The latter is loaded at its first request. */
export async function serveIdentityProvider({ issuer, audience, ...client }: SignInSettings): Promise<Served> {
  const keySet = await keySetListener();
  let provider: Promise<RequestListener> | undefined;
  const served = await serve(async (request, response) => {
    if (request.url === KEY_SET_PATH) return keySet(request, response);
    provider ??= import("./openid/provider.ts").then(({ createProvider }) =>
      createProvider({
        ...client,
        url: served.issuer,
        keySetUrl: served.url,
        tokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS,
        issueAccessToken: ({ userId, scope }) => issueToken({ subject: userId, scope, issuer, audience }),
        issueIdToken: ({ userId, nonce }) =>
          issueToken({ subject: userId, scope: undefined, issuer: served.issuer, audience: client.clientId, nonce }),
      }),
    );
    (await provider)(request, response);
  });
  return served;
}

async function keySetListener(): Promise<RequestListener> {
  const { kty, n, e, kid } = await privateKey();
  const keySet = JSON.stringify({ keys: [{ kty, n, e, kid, alg: ALGORITHM, use: "sig" }] });
  return (_request, response) => {
    response.setHeader("content-type", "application/json").end(keySet);
  };
}

async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener);
  const issuer = `http://127.0.0.1:${await listen(server)}`;
  return {
    issuer,
    url: `${issuer}${KEY_SET_PATH}`,
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
