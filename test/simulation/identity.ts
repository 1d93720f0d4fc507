import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign } from "node:crypto";

export const ISSUER = "https://identity.example";
export const AUDIENCE = "antler";
const TOKEN_SECONDS = 600;

interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JsonWebKey & { readonly kid: string };
}

/** Fixed keys, so that signatures are the same in every run. */
function fixedKey(kid: string, fill: number): SigningKey {
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, fill)]);
  const privateKey = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg: "EdDSA", use: "sig" } };
}

export const signingKeys = {
  first: fixedKey("first", 1),
  second: fixedKey("second", 2),
  stranger: fixedKey("first", 3),
};

export interface TokenOptions {
  readonly subject: string;
  readonly issuedAtMs: number;
  readonly key: SigningKey;
  readonly scope?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly unsigned?: boolean;
}

const signatures = new Map<string, string>();

export function makeToken({ subject, issuedAtMs, key, scope, issuer, audience, unsigned }: TokenOptions): string {
  const issuedAt = Math.floor(issuedAtMs / 1000);
  const header = unsigned ? { alg: "none" } : { alg: "EdDSA", kid: key.jwk.kid };
  const payload = {
    sub: subject,
    iss: issuer ?? ISSUER,
    aud: audience ?? AUDIENCE,
    iat: issuedAt,
    exp: issuedAt + TOKEN_SECONDS,
    scope,
  };
  const signed = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  if (unsigned) return `${signed}.`;
  const known = signatures.get(signed);
  // The stranger's key has the key id of the first, so it signs the same text.
  if (known && key !== signingKeys.stranger) return `${signed}.${known}`;
  const signature = sign(null, Buffer.from(signed), key.privateKey).toString("base64url");
  if (key !== signingKeys.stranger) signatures.set(signed, signature);
  if (signatures.size > 5000) signatures.clear();
  return `${signed}.${signature}`;
}
