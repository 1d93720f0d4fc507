import * as oauth from "oauth4webapi";
import { describe, expect, inject, test } from "vitest";
import * as z from "zod";
import type { ConsoleConfig } from "../../console/config.ts";
import { createClient } from "../../packages/client/src/index.ts";
import { newUser } from "../../testkit/client.ts";

const apiUrl = inject("apiUrl");
const INSECURE = { [oauth.allowInsecureRequests]: true };

const configSchema = z.strictObject({
  stage: z.string(),
  isLocal: z.boolean(),
  oidc: z.nullable(
    z.strictObject({
      issuer: z.url(),
      clientId: z.string(),
      scope: z.string(),
      audience: z.nullable(z.string()),
    }),
  ),
});

const get = (path: string) => fetch(`${apiUrl}/${path}`);

async function readConfig(): Promise<ConsoleConfig> {
  const response = await get("console/config.json");
  expect(response.status).toBe(200);
  return configSchema.parse(await response.json());
}

describe("the console", () => {
  test("and all its assets can be read without a token", async () => {
    const page = await (await get("")).text();
    const assets = [...page.matchAll(/(?:src|href)="(console\/[^"]+)"/g)].map(([, path = ""]) => path);
    expect(assets.length).toBeGreaterThanOrEqual(3);
    for (const asset of assets) {
      const response = await get(asset);
      expect(response.status, asset).toBe(200);
      expect((await response.text()).length, asset).toBeGreaterThan(0);
    }
  });

  test("is protected by its headers where it is served", async () => {
    const { headers } = await get("");
    expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("names the stage, and how to sign in there", async () => {
    const config = await readConfig();
    expect(config.isLocal).toBe(config.stage === "local");
  });

  test.skipIf(process.env.API_URL)(
    "signs in at the local identity provider, with a token that the API accepts",
    async () => {
      const { oidc } = await readConfig();
      if (!oidc) throw new Error("The local stack has no sign-in");
      const issuer = new URL(oidc.issuer);
      const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, INSECURE));
      const client = { client_id: oidc.clientId };
      const codeVerifier = oauth.generateRandomCodeVerifier();
      const user = newUser();
      const address = new URL(server.authorization_endpoint ?? "");
      address.search = new URLSearchParams({
        ...{
          client_id: oidc.clientId,
          redirect_uri: `${apiUrl}/`,
          response_type: "code",
          scope: oidc.scope,
          state: "s",
        },
        ...{ code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier), code_challenge_method: "S256" },
      }).toString();
      const { headers } = await fetch(address, {
        method: "POST",
        body: new URLSearchParams({ user }),
        redirect: "manual",
      });
      const returned = new URL(headers.get("location") ?? "");
      expect(returned.origin).toBe(apiUrl);
      const { access_token } = await oauth.processAuthorizationCodeResponse(
        server,
        client,
        await oauth.authorizationCodeGrantRequest(
          server,
          client,
          oauth.None(),
          oauth.validateAuthResponse(server, client, returned, "s"),
          `${apiUrl}/`,
          codeVerifier,
          INSECURE,
        ),
      );
      const balances = await createClient({ apiUrl, token: access_token }).wallet(user).balances();
      expect(balances.userId).toBe(user);
    },
  );
});
