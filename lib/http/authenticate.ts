import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { setting } from "../runtime/config.ts";
import { HttpProblem } from "./problem.ts";

/** The subject and the scopes of a valid token. */
export interface Caller {
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
}

/** Gives a service access to every wallet. */
export const ADMIN_SCOPE = "wallets:admin";

/** Asymmetric signatures only: with an HMAC, the public key itself would be the secret. */
const ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];
const CLOCK_TOLERANCE_SECONDS = 5;
const KEY_SET_TIMEOUT_MS = 2000;
/** RFC 6750, section 2.1. jose also accepts white space. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
/** A token has a few hundred bytes. One above this limit is refused before it is parsed. */
const TOKEN_LENGTH_MAX = 8192;
const CHALLENGE = 'Bearer realm="antler"';
const INVALID_TOKEN = `${CHALLENGE}, error="invalid_token"`;

let keySet: { readonly url: string; readonly getKey: JWTVerifyGetKey } | undefined;

function getKeyFrom(url: string): JWTVerifyGetKey {
  if (keySet?.url !== url) {
    keySet = { url, getKey: createRemoteJWKSet(new URL(url), { timeoutDuration: KEY_SET_TIMEOUT_MS }) };
  }
  return keySet.getKey;
}

/**
 * Checks the bearer token: signature by a key of `JWT_JWKS_URL`, issuer, audience, expiry and not-before.
 *
 * @throws HttpProblem `unauthorized` for a missing or invalid token, `unavailable` when the key set can't be read
 */
export async function authenticate(authorization: string | undefined): Promise<Caller> {
  const token = /^Bearer +([^ ]+)$/i.exec(authorization ?? "")?.[1];
  if (!token || token.length > TOKEN_LENGTH_MAX) throw unauthorized(CHALLENGE);
  if (!TOKEN.test(token)) throw unauthorized(INVALID_TOKEN);
  try {
    const { payload } = await jwtVerify(token, getKeyFrom(setting("JWT_JWKS_URL")), {
      algorithms: ALGORITHMS,
      issuer: setting("JWT_ISSUER"),
      audience: setting("JWT_AUDIENCE"),
      requiredClaims: ["sub", "exp"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    return toCaller(payload);
  } catch (error) {
    if (isTokenError(error)) throw unauthorized(INVALID_TOKEN, error);
    if (error instanceof errors.JOSEError || error instanceof TypeError) {
      throw new HttpProblem("unavailable", { headers: { "retry-after": "1" }, cause: error });
    }
    throw error;
  }
}

function toCaller({ sub, scope }: JWTPayload): Caller {
  if (!sub) throw new errors.JWTClaimValidationFailed("the subject is empty", {}, "sub", "invalid");
  return { subject: sub, scopes: new Set(typeof scope === "string" ? scope.split(" ") : []) };
}

/** True for an invalid token, false for a failure of the network or of the key set. */
function isTokenError(error: unknown): boolean {
  return (
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  );
}

function unauthorized(challenge: string, cause?: unknown): HttpProblem {
  return new HttpProblem("unauthorized", { headers: { "www-authenticate": challenge }, cause });
}
