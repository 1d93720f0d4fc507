import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { HttpProblem } from "../lib/http/problem.ts";
import { type Response, redirect } from "../lib/http/response.ts";
import { publicRoute } from "../lib/http/route.ts";

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
    <script>
      SwaggerUIBundle({ dom_id: "#ui", url: "openapi.json", deepLinking: true, persistAuthorization: true });
    </script>
  </body>
</html>
`;

const ASSETS = new Map([
  ["swagger-ui.css", "text/css"],
  ["swagger-ui-bundle.js", "text/javascript"],
]);

/** GET /docs and /docs/{asset}: Swagger UI out of our own package, so that it works with no network. */
export const handler = publicRoute().handler(async (event) => {
  const asset = event.pathParameters?.asset;
  // API Gateway routes /docs/ to the catch-all or, with an empty asset, to this function.
  if (event.rawPath.endsWith("/docs/")) return redirect("../docs");
  if (asset === undefined) return compressed("text/html; charset=utf-8", Buffer.from(PAGE));
  const type = ASSETS.get(asset);
  if (!type) throw new HttpProblem("not_found");
  const file = createRequire(import.meta.url).resolve(`swagger-ui-dist/${asset}`);
  return compressed(`${type}; charset=utf-8`, await readFile(file));
});

/** Every browser takes gzip, and the script alone would be a third of what a function may answer. */
function compressed(contentType: string, content: Buffer): Response {
  return {
    statusCode: 200,
    headers: { "content-type": contentType, "content-encoding": "gzip", "cache-control": "public, max-age=3600" },
    body: gzipSync(content).toString("base64"),
    isBase64Encoded: true,
  };
}
