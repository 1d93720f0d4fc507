import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { pageHeaders } from "../lib/http/page.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { acceptsEncoding } from "../lib/http/request.ts";
import { type Response, redirect } from "../lib/http/response.ts";
import { type HttpEvent, publicRoute } from "../lib/http/route.ts";

const SCRIPT =
  'SwaggerUIBundle({ dom_id: "#ui", url: "openapi.json", deepLinking: true, persistAuthorization: true });';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Antler API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css" />
  </head>
  <body>
    <div id="ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script>${SCRIPT}</script>
  </body>
</html>
`;

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`,
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const ASSETS = new Map([
  ["swagger-ui.css", "text/css"],
  ["swagger-ui-bundle.js", "text/javascript"],
]);

/** GET /docs and /docs/{asset}: Swagger UI from the bundled package, without any other host. */
export const handler = publicRoute()
  .use(pageHeaders())
  .handler(async (event) => {
    const { rawPath, pathParameters } = event;
    // API Gateway routes /docs/ to the catch-all function or, with an empty asset, to this one.
    if (rawPath.endsWith("/docs/")) return redirect("../docs");
    const asset = pathParameters?.asset;
    if (asset === undefined) return contentResponse(event, "text/html", Buffer.from(PAGE));
    const type = ASSETS.get(asset);
    if (!type) throw new HttpProblem("not_found");
    const file = createRequire(import.meta.url).resolve(`swagger-ui-dist/${asset}`);
    return contentResponse(event, type, await readFile(file));
  });

function contentResponse(event: HttpEvent, mediaType: string, content: Buffer): Response {
  const isCompressed = acceptsEncoding(event, "gzip");
  return {
    statusCode: 200,
    headers: {
      "content-type": `${mediaType}; charset=utf-8`,
      ...(isCompressed && { "content-encoding": "gzip" }),
      vary: "accept-encoding",
      "cache-control": "public, max-age=3600",
      "content-security-policy": CONTENT_SECURITY_POLICY,
    },
    body: isCompressed ? gzipSync(content).toString("base64") : content.toString(),
    isBase64Encoded: isCompressed,
  };
}
