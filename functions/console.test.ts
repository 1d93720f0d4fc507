import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { files } from "../console/files.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { handler } from "./console.ts";

/** What a browser downloads before it shows the wallet of a signed-in user. */
const FIRST_VIEW_BYTES_MAX = 40 * 1024;
/** Each file is an invocation of the function. */
const FIRST_VIEW_FILES_MAX = 8;

beforeEach(() => {
  vi.stubEnv("STAGE", "prod");
  vi.stubEnv("OIDC_SCOPE", "openid");
});
afterEach(() => vi.unstubAllEnvs());

async function get(path: string, headers: Record<string, string> = {}) {
  const [, asset] = /^\/console\/(.+)$/.exec(path) ?? [];
  const event = asset
    ? httpEvent({ path: "/console/{asset}", headers, pathParameters: { asset } })
    : { ...httpEvent({ path: "/", headers }), rawPath: path };
  return handler(event, lambdaContext);
}

async function policy(): Promise<Record<string, string>> {
  const { headers } = await get("/");
  const directives = String(headers?.["content-security-policy"]).split("; ");
  return Object.fromEntries(directives.map((directive) => directive.split(/ (.*)/)));
}

const pageText = async () => (await get("/")).body ?? "";
const namesIn = (text: string) => [...text.matchAll(/(?:src|href)="console\/([^"]+)"/g)].map(([, name = ""]) => name);

describe("the page", () => {
  it("allows its own scripts, and connections to the API only, and no other site to show it in a frame", async () => {
    expect(await policy()).toEqual({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "img-src": "'self'",
      "connect-src": "'self'",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
    expect(await pageText()).not.toMatch(/<script(?![^>]* src=)|<style|style=|\bon\w+=/);
  });

  it("may connect to the identity provider, and to the other origin of its tokens", async () => {
    vi.stubEnv("OIDC_CLIENT_ID", "console");
    vi.stubEnv("OIDC_ISSUER", "https://login.example.com/tenant/");
    expect((await policy())["connect-src"]).toBe("'self' https://login.example.com");
    vi.stubEnv("OIDC_TOKEN_ORIGIN", "https://tokens.example.com/oauth2");
    expect((await policy())["connect-src"]).toBe("'self' https://login.example.com https://tokens.example.com");
  });

  it("is not stored, and has the headers that a browser needs to protect it", async () => {
    const { headers } = await get("/");
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "permissions-policy": expect.stringContaining("camera=()"),
      "Cross-Origin-Opener-Policy": "same-origin",
      "Referrer-Policy": "no-referrer",
      "Strict-Transport-Security": "max-age=15552000",
      "X-Content-Type-Options": "nosniff",
      "X-Frame-Options": "DENY",
    });
  });

  it.each(["/stage", "/a/b"])("redirects %s to the address that its links are relative to", async (rawPath) => {
    const { statusCode, headers } = await get(rawPath);
    expect(statusCode).toBe(308);
    const target = new URL(String(headers?.location), `https://api.example${rawPath}`);
    expect(target.pathname).toBe(`${rawPath}/`);
    expect(await get(target.pathname)).toMatchObject({ statusCode: 200 });
  });

  it("names no other host", async () => {
    expect(await pageText()).not.toMatch(/(src|href)="(https?:)?\/\//);
  });
});

describe("an asset", () => {
  it("exists for every name in the page, and in the assets themselves", async () => {
    const names = namesIn(await pageText());
    expect(names.length).toBeGreaterThanOrEqual(3);
    for (const name of names) {
      const { statusCode, body = "" } = await get(`/console/${name}`);
      expect(statusCode, name).toBe(200);
      for (const [, chunk] of body.matchAll(/(?:from|import|import\()"\.\/([^"]+)"/g)) {
        expect(Object.keys(files.assets)).toContain(chunk);
      }
    }
  });

  it("has a hash in its name, and is cached for ever", async () => {
    for (const name of Object.keys(files.assets)) {
      expect(name).toMatch(/-[A-Z0-9]{8}\.(js|css|svg)$/);
      const { headers } = await get(`/console/${name}`);
      expect(headers).toMatchObject({
        "cache-control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
      });
    }
  });

  it("is compressed as the client accepts it", async () => {
    for (const name of Object.keys(files.assets)) {
      const [plain, gzip, brotli] = await Promise.all(
        [undefined, "gzip", "gzip, br"].map((accepted) =>
          get(`/console/${name}`, accepted === undefined ? {} : { "accept-encoding": accepted }),
        ),
      );
      expect(plain?.headers).not.toHaveProperty("content-encoding");
      expect(plain?.isBase64Encoded).toBe(false);
      expect(gzip?.headers).toMatchObject({ "content-encoding": "gzip", vary: "accept-encoding" });
      expect(gunzipSync(Buffer.from(gzip?.body ?? "", "base64")).toString()).toBe(plain?.body);
      expect(brotli?.headers).toMatchObject({ "content-encoding": "br", vary: "accept-encoding" });
      expect(brotliDecompressSync(Buffer.from(brotli?.body ?? "", "base64")).toString()).toBe(plain?.body);
    }
  });

  it.each(["main.js", "main-00000000.js", "__proto__", "constructor", "../package.json", "index.html"])(
    "%s does not exist",
    async (name) => {
      expect(await get(`/console/${name}`)).toMatchObject({ statusCode: 404 });
    },
  );

  it("of the first view is small: at most 40 KB in eight files, with the page itself", async () => {
    const page = await pageText();
    expect(namesIn(page).length + 1).toBeLessThanOrEqual(FIRST_VIEW_FILES_MAX);
    const bodies = [
      page,
      ...(await Promise.all(namesIn(page).map(async (name) => (await get(`/console/${name}`)).body))),
    ];
    const bytes = bodies.map((body = "") => gzipSync(body, { level: 9 }).byteLength);
    expect(bytes.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(FIRST_VIEW_BYTES_MAX);
  });
});

describe("config.json", () => {
  const read = async () => JSON.parse((await get("/console/config.json")).body ?? "");

  it("says that a stage without a client id has no sign-in", async () => {
    vi.stubEnv("OIDC_ISSUER", "https://login.example.com/");
    expect(await read()).toEqual({ stage: "prod", isLocal: false, oidc: null });
  });

  it("says how to sign in, and is not stored", async () => {
    vi.stubEnv("STAGE", "local");
    vi.stubEnv("OIDC_CLIENT_ID", "console");
    vi.stubEnv("OIDC_ISSUER", "https://login.example.com/");
    vi.stubEnv("OIDC_AUDIENCE", "antler");
    const oidc = {
      issuer: "https://login.example.com/",
      clientId: "console",
      scope: "openid",
      audience: "antler",
    };
    expect(await read()).toEqual({ stage: "local", isLocal: true, oidc });
    const { headers } = await get("/console/config.json");
    expect(headers).toMatchObject({ "cache-control": "no-store", "content-type": "application/json" });
  });
});
