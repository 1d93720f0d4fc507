import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import * as oauth from "oauth4webapi";
import { listen } from "../../../localstack/tcp.ts";
import { CommandError } from "../../../scripts/command.ts";
import type { Credential } from "./credentials.ts";

/** Sign-in at an OpenID provider, as a public client without a secret. */

export interface Provider {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  /** For providers that issue tokens for an API only if it is named. */
  readonly audience: string | undefined;
}

type Tokens = Pick<Credential, "token" | "refresh">;

/** What a provider may be asked next, with its metadata. */
interface Discovered {
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly options: { readonly [oauth.allowInsecureRequests]: boolean };
}

const REFRESH_BEFORE_MS = 30_000;
const BROWSER_TIMEOUT_MS = 300_000;
const POLL_SECONDS = 5;
const CALLBACK_PATH = "/callback";

/**
 * Signs in on any device: prints an address and a code, and waits until the user has entered it there.
 *
 * @throws CommandError
 */
export function signInWithDevice(provider: Provider, tell: (line: string) => void): Promise<Tokens> {
  return explained(async () => {
    const { server, client, options } = await discover(provider);
    if (!server.device_authorization_endpoint) {
      throw new CommandError("The provider has no device authorization endpoint. Use --browser");
    }
    const parameters = parametersOf(provider);
    const answer = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), parameters, options);
    const device = await oauth.processDeviceAuthorizationResponse(server, client, answer);
    tell(`Open ${device.verification_uri_complete ?? device.verification_uri} and enter the code ${device.user_code}`);
    const endMs = Date.now() + device.expires_in * 1000;
    for (let seconds = device.interval ?? POLL_SECONDS; Date.now() < endMs; ) {
      await setTimeout(seconds * 1000);
      try {
        const granted = await oauth.deviceCodeGrantRequest(server, client, oauth.None(), device.device_code, options);
        return tokensOf(await oauth.processDeviceCodeResponse(server, client, granted), provider);
      } catch (error) {
        const code = error instanceof oauth.ResponseBodyError ? error.error : undefined;
        if (code !== "authorization_pending" && code !== "slow_down") throw error;
        if (code === "slow_down") seconds += POLL_SECONDS;
      }
    }
    throw new CommandError("The code has expired. Run antler login again");
  });
}

/**
 * Signs in with a browser on this machine: prints an address, and waits for the redirect to a port of the loopback interface
 * (RFC 8252), with PKCE.
 *
 * @throws CommandError
 */
export function signInWithBrowser(provider: Provider, tell: (line: string) => void): Promise<Tokens> {
  return explained(async () => {
    const { server, client, options } = await discover(provider);
    if (!server.authorization_endpoint) throw new CommandError("The provider has no authorization endpoint");
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const listener = await listenForRedirect();
    try {
      const address = new URL(server.authorization_endpoint);
      const parameters = {
        ...Object.fromEntries(parametersOf(provider)),
        client_id: provider.clientId,
        response_type: "code",
        redirect_uri: listener.redirectUri,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        state,
      };
      for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
      tell(`Open this address in a browser on this machine: ${address}`);
      const callback = oauth.validateAuthResponse(server, client, await listener.redirected, state);
      const { redirectUri } = listener;
      const granted = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        callback,
        redirectUri,
        verifier,
        options,
      );
      return tokensOf(await oauth.processAuthorizationCodeResponse(server, client, granted), provider);
    } finally {
      listener.close();
    }
  });
}

/**
 * @returns the credential with the next token; `undefined` if the current one is still valid, or can't be renewed
 * @throws CommandError if the provider gives none
 */
export async function refreshed(credential: Credential): Promise<Credential | undefined> {
  const { refresh } = credential;
  if (!refresh || Date.parse(refresh.expiresAt) - REFRESH_BEFORE_MS > Date.now()) return undefined;
  const provider = { ...refresh, scope: "", audience: undefined };
  return explained(async () => {
    const { server, client, options } = await discover(provider);
    const granted = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refresh.token, options);
    const tokens = await oauth.processRefreshTokenResponse(server, client, granted);
    // A provider may keep the refresh token.
    return { ...credential, ...tokensOf({ refresh_token: refresh.token, ...tokens }, provider) };
  });
}

async function discover({ issuer, clientId }: Pick<Provider, "issuer" | "clientId">): Promise<Discovered> {
  const url = new URL(issuer);
  // Only a provider on this machine may do without TLS.
  const options = { [oauth.allowInsecureRequests]: ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname) };
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
  return { server, client: { client_id: clientId }, options };
}

function parametersOf({ scope, audience }: Provider): URLSearchParams {
  return new URLSearchParams({ scope, ...(audience !== undefined && { audience }) });
}

function tokensOf(
  tokens: Pick<oauth.TokenEndpointResponse, "access_token" | "refresh_token" | "expires_in">,
  provider: Provider,
): Tokens {
  const { access_token: token, refresh_token, expires_in } = tokens;
  if (refresh_token === undefined || expires_in === undefined) return { token };
  const { issuer, clientId } = provider;
  const expiresAt = new Date(Date.now() + expires_in * 1000).toISOString();
  return { token, refresh: { issuer, clientId, token: refresh_token, expiresAt } };
}

async function listenForRedirect() {
  const { promise: redirected, resolve, reject } = Promise.withResolvers<URL>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", redirectUri);
    const isCallback = url.pathname === CALLBACK_PATH;
    response.writeHead(isCallback ? 200 : 404, { "content-type": "text/plain", connection: "close" });
    response.end(isCallback ? "You can close this window, and go back to the terminal." : "Not found");
    if (isCallback) resolve(url);
  });
  const redirectUri = `http://127.0.0.1:${await listen(server)}${CALLBACK_PATH}`;
  const timer = globalThis.setTimeout(
    () => reject(new CommandError("No sign-in within five minutes. Run antler login again")),
    BROWSER_TIMEOUT_MS,
  );
  return {
    redirectUri,
    redirected,
    close() {
      clearTimeout(timer);
      server.close();
    },
  };
}

/** @throws CommandError with what the provider said */
async function explained<Result>(signIn: () => Promise<Result>): Promise<Result> {
  try {
    return await signIn();
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    const { error: code, error_description: description } = Object(error);
    const { cause } = error;
    const reason = code ? [code, description] : [error.message, cause instanceof Error ? cause.message : undefined];
    throw new CommandError(`The provider did not sign you in: ${reason.filter(Boolean).join(": ")}`);
  }
}
