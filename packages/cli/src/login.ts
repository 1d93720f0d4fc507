import { text } from "node:stream/consumers";
import type * as z from "zod";
import { readSettings } from "../../../localstack/settings.ts";
import { CommandError, defineTool, UsageError } from "../../../scripts/command.ts";
import { createClient } from "../../client/src/index.ts";
import { importIdentityProvider } from "./checkout.ts";
import type { CliCommand } from "./cliCommand.ts";
import { type Credential, readCredentials, writeCredentials } from "./credentials.ts";
import { signInWithBrowser, signInWithDevice } from "./oidc.ts";
import { connectionOptions, flag, httpUrl, notEmpty, optional } from "./options.ts";
import { message } from "./output.ts";
import { apiUrlOf, call, LOCAL_STAGE, stageOf, userOf } from "./session.ts";

const ADMIN_SCOPE = "wallets:admin";
const OIDC_SCOPE = "openid offline_access";

const loginOptions = {
  as: optional(notEmpty, "USER", "get a token of the local stack for USER"),
  operator: flag("with --as: a token for all wallets"),
  token: optional(notEmpty, "TOKEN", "keep this token; - reads it from stdin"),
  issuer: optional(httpUrl, "URL", "sign in at this OpenID provider, with a code on any device"),
  "client-id": optional(notEmpty, "ID", "the client at the provider, without a secret"),
  browser: flag("with --issuer: sign in with a browser on this machine instead"),
  scope: notEmpty.default(OIDC_SCOPE).meta({ value: "SCOPE", description: `the scopes; by default "${OIDC_SCOPE}"` }),
  audience: optional(notEmpty, "AUDIENCE", "the audience, if the provider needs it"),
  ...connectionOptions,
};

type LoginValues = z.output<z.ZodObject<typeof loginOptions>>;

const login = defineTool(
  {
    usage: `Usage: antler login --as USER [--operator] | --token TOKEN | --issuer URL --client-id ID [--browser]   [OPTIONS]

Gets a token, checks it with the API, and keeps it for the next commands, in a file that only you can read:
antler/credentials.json in $XDG_CONFIG_HOME or ~/.config. With --stage and --api-url, the stage gets this name: later --stage is enough.
A token that expires is renewed if the provider gave a refresh token. --as needs a checkout of the repository.`,
    options: loginOptions,
  },
  async (values) => {
    const credentials = await readCredentials();
    const apiUrl = apiUrlOf(values, credentials);
    const stage = stageOf(values);
    const credential = await credentialOf(values);
    const { token } = credential;
    const user = userOf(token);
    if (user !== undefined) await call(() => createClient({ apiUrl, token }).wallet(user).balances());
    // A name belongs to one API.
    const others = [...credentials].map(([url, { stage: name, ...each }]): [string, Credential] => [
      url,
      name === undefined || name === stage ? each : { ...each, stage: name },
    ]);
    const name = stage === LOCAL_STAGE ? credentials.get(apiUrl)?.stage : stage;
    await writeCredentials(new Map(others).set(apiUrl, { ...credential, stage: name }));
    message(`Logged in to ${apiUrl}${user === undefined ? "" : ` as ${user}`}`);
  },
);

/** @throws UsageError unless there is one way to log in */
async function credentialOf(values: LoginValues): Promise<Credential> {
  const { as, operator, token, issuer, "client-id": clientId, browser, scope, audience } = values;
  if ([as, token, issuer].filter((given) => given !== undefined).length !== 1) {
    throw new UsageError("One of --as, --token and --issuer is needed");
  }
  if (operator && as === undefined) throw new UsageError("--operator needs --as");
  if ((clientId === undefined) !== (issuer === undefined))
    throw new UsageError("--issuer and --client-id need each other");
  if (browser && issuer === undefined) throw new UsageError("--browser needs --issuer");
  if (as !== undefined) return { token: await localToken(as, operator) };
  if (issuer === undefined || clientId === undefined)
    return { token: token === "-" ? (await text(process.stdin)).trim() : (token ?? "") };
  const signIn = browser ? signInWithBrowser : signInWithDevice;
  return signIn({ issuer, clientId, scope, audience }, message);
}

async function localToken(subject: string, isOperator: true | undefined): Promise<string> {
  const { issueToken } = await importIdentityProvider();
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = readSettings(process.env);
  return issueToken({ subject, scope: isOperator ? ADMIN_SCOPE : undefined, issuer, audience });
}

const logout = defineTool(
  {
    usage: `Usage: antler logout [OPTIONS]

Removes the token of an API from the file of antler login.`,
    options: connectionOptions,
  },
  async (values) => {
    const credentials = new Map(await readCredentials());
    const apiUrl = apiUrlOf(values, credentials);
    if (!credentials.delete(apiUrl)) throw new CommandError(`Not logged in to ${apiUrl}`);
    await writeCredentials(credentials);
    message(`Logged out of ${apiUrl}`);
  },
);

export const loginCommands: readonly CliCommand[] = [
  { name: "login", summary: "get a token and keep it", tool: login },
  { name: "logout", summary: "remove the token", tool: logout },
];
