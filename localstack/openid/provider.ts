import { hash, randomBytes, randomInt } from "node:crypto";
import type { IncomingMessage, RequestListener } from "node:http";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { userId as userIdSchema } from "../../lib/http/schemas.ts";
import { ExpiringMap } from "./expiringMap.ts";
import { type HtmlPage, messagePage, signInPage, userCodePage } from "./pages.ts";

/** Who has signed in, and what the client may do for them. */
interface Grant {
  readonly userId: string;
  /** Granted scopes, separated by spaces. */
  readonly scope: string;
  readonly nonce?: string | undefined;
}

interface ProviderSettings {
  /** The issuer, without a slash at the end. */
  readonly url: string;
  readonly keySetUrl: string;
  /** Of the only client, which has no secret. */
  readonly clientId: string;
  readonly redirectUris: readonly string[];
  readonly tokenLifetimeSeconds: number;
  issueAccessToken(grant: Grant): Promise<string>;
  issueIdToken(grant: Grant): Promise<string>;
  readonly nowMs?: () => number;
}

/** A code of the authorization endpoint, to be exchanged once for a token. */
interface AuthorizationCode {
  readonly grant: Grant;
  readonly redirectUri: string;
  readonly codeChallenge: string;
}

/** A terminal that waits until its user has signed in. */
interface Device {
  readonly scopes: readonly string[];
  readonly userCode: string;
  grant?: Grant;
}

interface ParsedRequest {
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An error of RFC 6749, as the client gets it. */
class OAuthError extends Error {
  override readonly name = "OAuthError";
  readonly code: string;
  constructor(code: string, description: string) {
    super(description);
    this.code = code;
  }
}

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPES = ["openid", ADMIN_SCOPE];
const CODE_SECONDS = 60;
const DEVICE_SECONDS = 600;
const DEVICE_INTERVAL_SECONDS = 1;
const BODY_BYTES_MAX = 16 * 1024;
/** RFC 7636: the challenge is a SHA-256 hash, in base64url. */
const CODE_CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const CODE_VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;
/** Where a command line listens for its code, on any port: RFC 8252, section 7.3. */
const COMMAND_LINE_CALLBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]):\d{1,5}\/callback$/;
/** RFC 8628, section 6.1: consonants form no words. */
const USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

/**
 * A minimal OpenID provider for one public client: discovery, authorization code with PKCE (S256), device authorization.
 * It asks for no password, so it must listen on the loopback interface only.
 */
export function createProvider(settings: ProviderSettings): RequestListener {
  const { url, clientId, redirectUris, nowMs = Date.now } = settings;
  const codes = new ExpiringMap<AuthorizationCode>(CODE_SECONDS, nowMs);
  const devices = new ExpiringMap<Device>(DEVICE_SECONDS, nowMs);
  const devicesByUserCode = new ExpiringMap<Device>(DEVICE_SECONDS, nowMs);
  const hosts = [new URL(url).host, new URL(url).host.replace("127.0.0.1", "localhost")];
  const clientOrigins = new Set(redirectUris.map((uri) => new URL(uri).origin));

  const routes: Readonly<Record<string, (request: ParsedRequest) => Answer | Promise<Answer>>> = {
    "GET /.well-known/openid-configuration": () => json(200, discoveryDocument(settings)),
    "GET /authorize": ({ query }) => authorize(query, ({ scopes, redirectUri }) => askForUser(scopes, redirectUri)),
    "POST /authorize": ({ query, form }) => authorize(query, (request) => sendCode(request, form)),
    "POST /token": ({ form }) => answerErrors(() => exchange(form)),
    "POST /device_authorization": ({ form }) => answerErrors(() => startDevice(form)),
    "GET /device": ({ query }) => (query.has("user_code") ? askForDeviceUser(query) : html(200, userCodePage())),
    "POST /device": ({ form }) => confirmDevice(form),
  };

  interface AuthorizationRequest extends Pick<AuthorizationCode, "redirectUri" | "codeChallenge"> {
    readonly scopes: readonly string[];
    readonly nonce: string | undefined;
    /** The address to go back to. */
    back(parameters: Readonly<Record<string, string>>): Answer;
  }

  /** Checks an authorization request. Only an error of a known client goes back to it. */
  function authorize(query: URLSearchParams, next: (request: AuthorizationRequest) => Answer): Answer {
    const redirectUri = query.get("redirect_uri") ?? "";
    if (!hasSingleValues(query) || query.get("client_id") !== clientId || !canRedirectTo(redirectUri)) {
      return html(400, messagePage("This sign-in can't continue", "The client or its redirect URI is not known here."));
    }
    const back: AuthorizationRequest["back"] = (parameters) => {
      const target = new URL(redirectUri);
      const state = query.get("state");
      const all = { ...parameters, ...(state !== null && { state }), iss: url };
      for (const [name, value] of Object.entries(all)) target.searchParams.set(name, value);
      return { status: 303, headers: { location: target.href } };
    };
    const codeChallenge = query.get("code_challenge") ?? "";
    if (query.get("response_type") !== "code") return back({ error: "unsupported_response_type" });
    if (query.get("code_challenge_method") !== "S256" || !CODE_CHALLENGE.test(codeChallenge)) {
      return back({ error: "invalid_request", error_description: "PKCE with S256 is required" });
    }
    const nonce = query.get("nonce") ?? undefined;
    return next({ redirectUri, codeChallenge, nonce, scopes: scopesIn(query), back });
  }

  function canRedirectTo(uri: string): boolean {
    return redirectUris.includes(uri) || COMMAND_LINE_CALLBACK.test(uri);
  }

  function askForUser(scopes: readonly string[], redirectUri: string): Answer {
    const redirectOrigin = new URL(redirectUri).origin;
    return html(200, signInPage({ canBeOperator: scopes.includes(ADMIN_SCOPE), redirectOrigin }));
  }

  function sendCode({ scopes, nonce, redirectUri, codeChallenge, back }: AuthorizationRequest, form: URLSearchParams) {
    const grant = grantOf(form, scopes, nonce);
    if (!grant) return invalidUser();
    const code = randomKey();
    codes.set(code, { grant, redirectUri, codeChallenge });
    return back({ code });
  }

  async function exchange(form: URLSearchParams): Promise<Answer> {
    requireClient(form);
    switch (form.get("grant_type")) {
      case "authorization_code":
        return tokens(grantOfCode(form));
      case DEVICE_GRANT:
        return tokens(grantOfDevice(form));
      default:
        throw new OAuthError("unsupported_grant_type", "grant_type must be authorization_code or that of a device");
    }
  }

  /** Every attempt uses up the code. */
  function grantOfCode(form: URLSearchParams): Grant {
    const found = codes.take(form.get("code") ?? "");
    if (!found) throw new OAuthError("invalid_grant", "The code is unknown, used or expired");
    if (form.get("redirect_uri") !== found.redirectUri) {
      throw new OAuthError("invalid_grant", "The redirect_uri is not that of the authorization request");
    }
    const verifier = form.get("code_verifier") ?? "";
    if (!CODE_VERIFIER.test(verifier) || hash("sha256", verifier, "base64url") !== found.codeChallenge) {
      throw new OAuthError("invalid_grant", "The code_verifier does not match the code_challenge");
    }
    return found.grant;
  }

  function grantOfDevice(form: URLSearchParams): Grant {
    const deviceCode = form.get("device_code") ?? "";
    const device = devices.get(deviceCode);
    if (!device) throw new OAuthError("expired_token", "The device_code is unknown, used or expired");
    if (!device.grant) throw new OAuthError("authorization_pending", "The user has not signed in yet");
    devices.take(deviceCode);
    return device.grant;
  }

  async function tokens(grant: Grant): Promise<Answer> {
    return json(200, {
      access_token: await settings.issueAccessToken(grant),
      token_type: "Bearer",
      expires_in: settings.tokenLifetimeSeconds,
      scope: grant.scope,
      ...(grant.scope.split(" ").includes("openid") && { id_token: await settings.issueIdToken(grant) }),
    });
  }

  function startDevice(form: URLSearchParams): Answer {
    requireClient(form);
    const letters = Array.from({ length: 8 }, () => USER_CODE_LETTERS.charAt(randomInt(USER_CODE_LETTERS.length)));
    const userCode = `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
    const device: Device = { scopes: scopesIn(form), userCode };
    const deviceCode = randomKey();
    devices.set(deviceCode, device);
    devicesByUserCode.set(userCode, device);
    return json(200, {
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: `${url}/device`,
      verification_uri_complete: `${url}/device?user_code=${userCode}`,
      expires_in: DEVICE_SECONDS,
      interval: DEVICE_INTERVAL_SECONDS,
    });
  }

  function askForDeviceUser(query: URLSearchParams): Answer {
    const device = deviceOf(query);
    if (!device) return invalidUserCode();
    const { scopes, userCode } = device;
    return html(200, signInPage({ canBeOperator: scopes.includes(ADMIN_SCOPE), userCode }));
  }

  function confirmDevice(form: URLSearchParams): Answer {
    const device = deviceOf(form);
    if (!device) return invalidUserCode();
    const grant = grantOf(form, device.scopes, undefined);
    if (!grant) return invalidUser();
    device.grant = grant;
    devicesByUserCode.take(device.userCode);
    return html(200, messagePage("You are signed in", `Your terminal is now signed in as ${grant.userId}.`));
  }

  /** Ignores how the user writes the code. */
  function deviceOf(parameters: URLSearchParams): Device | undefined {
    const letters = (parameters.get("user_code") ?? "").toUpperCase().replaceAll(/[^A-Z]/g, "");
    return devicesByUserCode.get(`${letters.slice(0, 4)}-${letters.slice(4)}`);
  }

  function requireClient(form: URLSearchParams): void {
    if (!hasSingleValues(form)) throw new OAuthError("invalid_request", "A parameter is repeated");
    if (form.get("client_id") !== clientId) throw new OAuthError("invalid_client", "The client_id is not known here");
  }

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { host = "", origin } = request.headers;
    // A name that an attacker has pointed to this machine is not ours.
    if (!hosts.includes(host)) return { status: 421 };
    const { pathname, searchParams: query } = new URL(request.url ?? "/", `http://${host}`);
    const route = routes[`${request.method} ${pathname}`];
    if (!route) return { status: 404 };
    const isPage = pathname === "/authorize" || pathname === "/device";
    // Another site must not send the form of a page.
    if (isPage && request.method === "POST" && origin !== undefined && origin !== `http://${host}`)
      return { status: 403 };
    const form = await readForm(request);
    if (!form) return { status: 413 };
    const { headers, ...rest } = await route({ query, form });
    const isShared = !isPage && origin !== undefined && clientOrigins.has(origin);
    return {
      ...rest,
      headers: { ...headers, ...(isShared && { "access-control-allow-origin": origin }), vary: "origin" },
    };
  }

  return async (request, response) => {
    const { status, headers, body } = await answer(request).catch((error: unknown): Answer => {
      console.error(error);
      return { status: 500 };
    });
    response.writeHead(status, { "cache-control": "no-store", ...headers }).end(body);
  };
}

function discoveryDocument({ url, keySetUrl }: ProviderSettings) {
  return {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    device_authorization_endpoint: `${url}/device_authorization`,
    jwks_uri: keySetUrl,
    scopes_supported: SCOPES,
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", DEVICE_GRANT],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    token_endpoint_auth_methods_supported: ["none"],
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
  };
}

/** The scopes that are asked for and exist here; others are ignored, as RFC 6749 allows. */
function scopesIn(parameters: URLSearchParams): string[] {
  return (parameters.get("scope") ?? "").split(" ").filter((scope) => SCOPES.includes(scope));
}

/** @returns undefined if the form has no valid user id */
function grantOf(form: URLSearchParams, scopes: readonly string[], nonce: string | undefined): Grant | undefined {
  const isOperator = form.has("operator") && scopes.includes(ADMIN_SCOPE);
  const userId = userIdSchema.safeParse(isOperator ? "operator" : form.get("user"));
  if (!userId.success) return undefined;
  const granted = scopes.filter((scope) => scope !== ADMIN_SCOPE || isOperator);
  return { userId: userId.data, scope: granted.join(" "), nonce };
}

function invalidUserCode(): Answer {
  const advice = "Start the sign-in again in your terminal, and use its code.";
  return html(400, messagePage("The code is not valid", advice));
}

function invalidUser(): Answer {
  return html(400, messagePage("This is not a user id", "Go back, and enter the id of a user, such as alice."));
}

function hasSingleValues(parameters: URLSearchParams): boolean {
  return new Set(parameters.keys()).size === parameters.size;
}

function randomKey(): string {
  return randomBytes(32).toString("base64url");
}

/** @returns undefined for a body above the limit */
async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) return undefined;
  }
  return new URLSearchParams(text);
}

async function answerErrors(work: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    const status = error.code === "invalid_client" ? 401 : 400;
    return json(status, { error: error.code, error_description: error.message });
  }
}

function json(status: number, value: object): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

function html(status: number, { body, headers }: HtmlPage): Answer {
  return { status, headers, body };
}
