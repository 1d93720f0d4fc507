import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { handler as docs } from "./docs.ts";
import { handler as notFound } from "./notFound.ts";

const at = (rawPath: string, method = "GET") => ({ ...httpEvent({ method }), rawPath });

describe("a redirect to /docs", () => {
  it.each([
    ["the catch-all function", notFound],
    ["the function of the page", docs],
  ])("is the response of %s to /docs/, behind any prefix", async (_which, handler) => {
    for (const prefix of ["", "/stage"]) {
      const { statusCode, headers } = await handler(at(`${prefix}/docs/`), lambdaContext);
      expect(statusCode).toBe(308);
      expect(new URL(String(headers?.location), `https://api.example${prefix}/docs/`).pathname).toBe(`${prefix}/docs`);
    }
  });
});

it.each([
  ["GET", "/docs/x/"],
  ["GET", "/v1/docs"],
  ["GET", "/stage"],
  ["POST", "/docs/"],
])("the catch-all function responds to %s %s with 404", async (method, path) => {
  expect(await notFound(at(path, method), lambdaContext)).toMatchObject({ statusCode: 404 });
});

describe("the documentation page", () => {
  const get = (encoding?: string, asset?: string) =>
    docs(
      {
        ...httpEvent({
          headers: encoding === undefined ? {} : { "accept-encoding": encoding },
          ...(asset && { pathParameters: { asset } }),
        }),
        rawPath: "/docs",
      },
      lambdaContext,
    );

  it("is compressed for a client that accepts gzip, and only for that client", async () => {
    for (const asset of [undefined, "swagger-ui.css", "swagger-ui-bundle.js"]) {
      const plain = await get(undefined, asset);
      const compressed = await get("gzip", asset);
      expect(plain.headers).not.toHaveProperty("content-encoding");
      expect(plain.isBase64Encoded).toBe(false);
      expect(compressed.headers).toMatchObject({ "content-encoding": "gzip" });
      expect(gunzipSync(Buffer.from(compressed.body ?? "", "base64")).toString()).toBe(plain.body);
      for (const { headers } of [plain, compressed]) expect(headers).toMatchObject({ vary: "accept-encoding" });
    }
  });

  it("allows its own scripts only, and no other site to show it in a frame", async () => {
    const { headers, body = "" } = await get();
    const policy = String(headers?.["content-security-policy"]);
    const [, inline = ""] = /<script>(.*?)<\/script>/s.exec(body) ?? [];
    const hash = createHash("sha256").update(inline).digest("base64");
    expect(policy.split("; ")).toEqual(
      expect.arrayContaining(["default-src 'none'", `script-src 'self' 'sha256-${hash}'`, "frame-ancestors 'none'"]),
    );
    expect(headers).toMatchObject({
      "X-Content-Type-Options": "nosniff",
      "Strict-Transport-Security": "max-age=15552000",
      "Referrer-Policy": "no-referrer",
    });
  });
});
