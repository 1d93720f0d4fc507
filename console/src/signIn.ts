import * as oauth from "oauth4webapi";
import type { ConsoleConfig } from "../config.ts";
import { apiUrl } from "./api.ts";

/**
 * Signs in at the identity provider: OpenID Connect, authorization code with PKCE. The page is left and comes back with a
 * code, which it exchanges for a token. Loaded only when it is needed.
 */

type Oidc = NonNullable<ConsoleConfig["oidc"]>;

/** What the window remembers while it is at the identity provider. */
export interface PendingSignIn {
  readonly state: string;
  readonly codeVerifier: string;
  /** Where the page was: `location.hash`. */
  readonly hash: string;
}

const STORAGE_KEY = "antler.sign-in";

/** Leaves the page for the identity provider. @throws Error when that can't be reached */
export async function leaveToSignIn(oidc: Oidc, hash: string): Promise<void> {
  const { server, client } = await discover(oidc);
  const codeVerifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  if (!server.authorization_endpoint) throw new Error("The identity provider has no authorization endpoint");
  const url = new URL(server.authorization_endpoint);
  const parameters = {
    client_id: client.client_id,
    redirect_uri: apiUrl(),
    response_type: "code",
    scope: oidc.scope,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: "S256",
    ...(oidc.audience !== null && { audience: oidc.audience, resource: oidc.audience }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ state, codeVerifier, hash } satisfies PendingSignIn));
  location.assign(url);
}

/** @returns the sign-in that this window has started, once; undefined if there is none */
export function takePendingSignIn(): PendingSignIn | undefined {
  const stored = sessionStorage.getItem(STORAGE_KEY);
  sessionStorage.removeItem(STORAGE_KEY);
  return stored === null ? undefined : JSON.parse(stored);
}

/**
 * Exchanges the code in the page's address for a token.
 *
 * @throws Error when the identity provider has refused, or the code is of another sign-in
 */
export async function exchangeCode(oidc: Oidc, { state, codeVerifier }: PendingSignIn, address: URL): Promise<string> {
  const { server, client, options } = await discover(oidc);
  const parameters = oauth.validateAuthResponse(server, client, address, state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    apiUrl(),
    codeVerifier,
    {
      ...options,
      ...(oidc.audience !== null && { additionalParameters: { resource: oidc.audience } }),
    },
  );
  const { access_token } = await oauth.processAuthorizationCodeResponse(server, client, response);
  return access_token;
}

async function discover({ issuer, clientId }: Oidc) {
  const url = new URL(issuer);
  // The local provider has no certificate.
  const options = { [oauth.allowInsecureRequests]: url.protocol === "http:" };
  const response = await oauth.discoveryRequest(url, options);
  const server = await oauth.processDiscoveryResponse(url, response);
  return { server, client: { client_id: clientId }, options };
}
