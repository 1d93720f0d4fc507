import { gunzipSync } from "node:zlib";
import type { ConsoleFile } from "../console/build.ts";
import type { ConsoleConfig } from "../console/config.ts";
import { files } from "../console/files.ts";
import { pageHeaders } from "../lib/http/page.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { acceptsEncoding } from "../lib/http/request.ts";
import { jsonResponse, type Response, redirect } from "../lib/http/response.ts";
import { type HttpEvent, publicRoute } from "../lib/http/route.ts";
import { optionalSetting, setting } from "../lib/runtime/config.ts";

const ASSETS = new Map(Object.entries(files.assets));

const PERMISSIONS_POLICY = ["camera", "display-capture", "geolocation", "microphone", "payment", "usb"]
  .map((feature) => `${feature}=()`)
  .join(", ");

/** GET / and /console/{asset}: the web page for users and operators, its files, and config.json. */
export const handler = publicRoute()
  .use(pageHeaders())
  .handler(async (event) => {
    const { rawPath, pathParameters } = event;
    const asset = pathParameters?.asset;
    if (asset === undefined) {
      // The links of the page are relative to its own path, which a custom domain can give a prefix.
      if (!rawPath.endsWith("/")) return redirect(`${rawPath.split("/").at(-1)}/`);
      return fileResponse(event, files.page, {
        "cache-control": "no-store",
        "content-security-policy": contentSecurityPolicy(),
        "permissions-policy": PERMISSIONS_POLICY,
      });
    }
    if (asset === "config.json") return jsonResponse(200, config());
    const file = ASSETS.get(asset);
    if (!file) throw new HttpProblem("not_found");
    return fileResponse(event, file, { "cache-control": "public, max-age=31536000, immutable" });
  });

function config(): ConsoleConfig {
  const stage = setting("STAGE");
  const issuer = optionalSetting("OIDC_ISSUER");
  const clientId = optionalSetting("OIDC_CLIENT_ID");
  const scope = setting("OIDC_SCOPE");
  const audience = optionalSetting("OIDC_AUDIENCE") ?? null;
  return { stage, isLocal: stage === "local", oidc: issuer && clientId ? { issuer, clientId, scope, audience } : null };
}

/** The page runs its own scripts only, and connects to the API and the identity provider only. */
function contentSecurityPolicy(): string {
  const { oidc } = config();
  const tokenOrigin = optionalSetting("OIDC_TOKEN_ORIGIN");
  const provider = oidc ? [oidc.issuer, ...(tokenOrigin ? [tokenOrigin] : [])].map((url) => new URL(url).origin) : [];
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...new Set(provider)].join(" "),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

function fileResponse(
  event: HttpEvent,
  { mediaType, brotli, gzip }: ConsoleFile,
  headers: Readonly<Record<string, string>>,
): Response {
  const encoding = acceptsEncoding(event, "br") ? "br" : acceptsEncoding(event, "gzip") ? "gzip" : undefined;
  return {
    statusCode: 200,
    headers: {
      "content-type": mediaType,
      ...(encoding && { "content-encoding": encoding }),
      vary: "accept-encoding",
      ...headers,
    },
    body: encoding === "br" ? brotli : encoding ? gzip : gunzipSync(Buffer.from(gzip, "base64")).toString(),
    isBase64Encoded: encoding !== undefined,
  };
}
