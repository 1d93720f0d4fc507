import * as z from "zod";
import { hostInUrl, readSettings } from "../../../localstack/settings.ts";
import { CommandError, UsageError } from "../../../scripts/command.ts";
import { AntlerError, type Client, createClient, type Wallet } from "../../client/src/index.ts";
import { type Credentials, readCredentials, writeCredentials } from "./credentials.ts";
import { refreshed } from "./oidc.ts";
import { printJson } from "./output.ts";

export const LOCAL_STAGE = "local";

export interface Target {
  readonly "api-url"?: string | undefined;
  readonly stage?: string | undefined;
}

interface SessionOptions extends Target {
  readonly "dry-run"?: true | undefined;
}

interface WalletOptions extends SessionOptions {
  readonly user?: string | undefined;
}

/** The stage that is asked for, if `--api-url` does not say more. */
export function stageOf({ stage }: Target): string {
  return stage ?? (process.env.ANTLER_STAGE || LOCAL_STAGE);
}

/**
 * The URL of the API, without a slash at its end.
 *
 * @throws CommandError for a stage that no login has named
 */
export function apiUrlOf(target: Target, credentials: Credentials): string {
  const given = target["api-url"] ?? (target.stage === undefined && process.env.ANTLER_API_URL);
  if (given) return given.replace(/\/+$/, "");
  const stage = stageOf(target);
  for (const [apiUrl, credential] of credentials) if (credential.stage === stage) return apiUrl;
  if (stage === LOCAL_STAGE) {
    const { API_HOST, API_PORT } = readSettings(process.env);
    return `http://${hostInUrl(API_HOST)}:${API_PORT}`;
  }
  throw new CommandError(`The API of the stage ${stage} is unknown. Run antler login --stage ${stage} --api-url URL`);
}

/** @throws CommandError if there is none */
async function tokenFor(apiUrl: string, credentials: Credentials, isDryRun: boolean): Promise<string> {
  if (process.env.ANTLER_TOKEN) return process.env.ANTLER_TOKEN;
  const credential = credentials.get(apiUrl);
  if (!credential) throw new CommandError(`Not logged in to ${apiUrl}. Run antler login, or set ANTLER_TOKEN`);
  const next = isDryRun ? undefined : await refreshed(credential);
  if (!next) return credential.token;
  await writeCredentials(new Map(credentials).set(apiUrl, next));
  return next.token;
}

const claimsSchema = z.object({ sub: z.string() });

/** @returns the user of a token, if the token says it */
export function userOf(token: string): string | undefined {
  try {
    return claimsSchema.parse(JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())).sub;
  } catch {
    return undefined;
  }
}

/** A client with the token of the login. @throws CommandError */
export async function openClient(options: SessionOptions): Promise<Client> {
  const credentials = await readCredentials();
  const apiUrl = apiUrlOf(options, credentials);
  return clientOf(apiUrl, options, options["dry-run"] ? undefined : await tokenFor(apiUrl, credentials, false));
}

/** A client for what needs no token. @throws CommandError */
export async function openPublicClient(options: SessionOptions): Promise<Client> {
  return clientOf(apiUrlOf(options, await readCredentials()), options, undefined);
}

/** The wallet of a user, by default that of the login. @throws CommandError */
export async function openWallet(options: WalletOptions): Promise<Wallet> {
  const credentials = await readCredentials();
  const apiUrl = apiUrlOf(options, credentials);
  const isDryRun = options["dry-run"] === true;
  // A dry run for a named user needs no login.
  const token = isDryRun && options.user ? undefined : await tokenFor(apiUrl, credentials, isDryRun);
  const user = options.user ?? (token && userOf(token));
  if (user === undefined) throw new CommandError("The token does not say whose it is: name the user with --user");
  try {
    return clientOf(apiUrl, options, token).wallet(user);
  } catch (error) {
    throw explained(error);
  }
}

function clientOf(apiUrl: string, options: SessionOptions, token: string | undefined): Client {
  return createClient({ apiUrl, token, ...(options["dry-run"] && DRY_RUN) });
}

/** Ends a call that a dry run has printed. */
class NotSent extends Error {}

const DRY_RUN = {
  maxRetries: 0,
  async fetch(url: unknown, { method, headers, body }: RequestInit = {}): Promise<never> {
    const { authorization: _secret, ...sent } = Object.fromEntries(new Headers(headers));
    const parsed: unknown = typeof body === "string" ? JSON.parse(body) : undefined;
    printJson({ method, url: String(url), headers: sent, body: parsed });
    throw new NotSent();
  },
};

/**
 * Calls the API.
 *
 * @returns `undefined` in a dry run
 * @throws CommandError with what the API says, UsageError with what the client says
 */
export async function call<Result>(send: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof AntlerError && error.cause instanceof NotSent) return undefined;
    throw explained(error);
  }
}

/** What the API or the client says, as an error of a command. */
function explained(error: unknown): unknown {
  if (!(error instanceof AntlerError)) return error;
  return error.code === "invalid_argument" ? new UsageError(error.message) : new CommandError(textOf(error));
}

function textOf(error: AntlerError): string {
  const { code, requestId, cause, message } = error;
  const reason = cause instanceof Error ? [reasonOf(cause)] : [];
  const details = [code, ...(requestId === undefined ? [] : [`request ${requestId}`]), ...reason];
  return `${message} (${details.join(", ")})`;
}

/** `fetch` has the reason of a failed connection as the cause of its error. */
function reasonOf({ cause, message }: Error): string {
  return cause instanceof Error ? cause.message || String(Object(cause).code) : message;
}
