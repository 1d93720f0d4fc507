import { hash, randomUUID } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { generateKeyPair, SignJWT } from "jose";
import { listenForTest } from "./perTest.ts";

export const CLIENT_ID = "antler-cli";

interface ProviderOptions {
  /** The access token that it issues. */
  readonly token: string;
  /** How often it answers a device that the user has not entered the code yet. */
  readonly pendingPolls?: number;
  readonly expiresInSeconds?: number;
  /** What it answers instead of tokens. */
  readonly refusal?: string;
}

/** An OpenID provider with the grants of a public client: device code, authorization code with PKCE, refresh token. */
export async function oidcProviderForTest({
  token,
  pendingPolls = 0,
  expiresInSeconds = 3600,
  refusal,
}: ProviderOptions) {
  const { privateKey } = await generateKeyPair("RS256");
  const challenges = new Map<string, string>();
  const grants: string[] = [];
  let polls = 0;

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", issuer);
    const body = new URLSearchParams(await text(request));
    if (url.pathname === "/.well-known/openid-configuration") return json(response, 200, metadata);
    if (url.pathname === "/authorize") return authorize(url.searchParams, response);
    if (url.pathname === "/device") {
      const codes = { device_code: "device-1", user_code: "WDJB-MJHT", verification_uri: `${issuer}/activate` };
      return json(response, 200, { ...codes, expires_in: 60, interval: 0.01 });
    }
    const error = refusal ?? errorOf(body);
    json(response, error ? 400 : 200, error ? { error, error_description: "as the test says" } : await tokens());
  });
  const issuer = `http://127.0.0.1:${await listenForTest(server)}`;
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    device_authorization_endpoint: `${issuer}/device`,
    token_endpoint: `${issuer}/token`,
    code_challenge_methods_supported: ["S256"],
  };

  function authorize(query: URLSearchParams, response: ServerResponse): void {
    const code = randomUUID();
    challenges.set(code, query.get("code_challenge") ?? "");
    const redirect = new URL(query.get("redirect_uri") ?? "");
    redirect.searchParams.set("code", code);
    redirect.searchParams.set("state", query.get("state") ?? "");
    response.writeHead(302, { location: redirect.href }).end();
  }

  /** @returns why a token request is refused */
  function errorOf(body: URLSearchParams): string | undefined {
    const grant = body.get("grant_type") ?? "";
    grants.push(grant);
    if (body.get("client_id") !== CLIENT_ID) return "invalid_client";
    if (grant.endsWith(":device_code")) return polls++ < pendingPolls ? "authorization_pending" : undefined;
    if (grant === "refresh_token") return body.get("refresh_token") === "refresh-1" ? undefined : "invalid_grant";
    const challenge = challenges.get(body.get("code") ?? "");
    const isVerified = hash("sha256", body.get("code_verifier") ?? "", "base64url") === challenge;
    return isVerified ? undefined : "invalid_grant";
  }

  async function tokens() {
    const idToken = new SignJWT({}).setProtectedHeader({ alg: "RS256" }).setSubject("alice").setIssuer(issuer);
    const signed = idToken.setAudience(CLIENT_ID).setIssuedAt().setExpirationTime("1m").sign(privateKey);
    const names = { token_type: "Bearer", access_token: token, refresh_token: "refresh-1", id_token: await signed };
    return { ...names, expires_in: expiresInSeconds };
  }

  return { issuer, grants };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
