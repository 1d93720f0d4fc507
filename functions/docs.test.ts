import { expect, it } from "vitest";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { handler as docs } from "./docs.ts";
import { handler as notFound } from "./notFound.ts";

const at = (rawPath: string, method = "GET") => ({ ...httpEvent({ method }), rawPath });

it.each([
  ["the catch-all", notFound],
  ["the page's function", docs],
])("%s redirects /docs/ to /docs, behind any prefix", async (_which, handler) => {
  for (const prefix of ["", "/stage"]) {
    const { statusCode, headers } = await handler(at(`${prefix}/docs/`), lambdaContext);
    expect(statusCode).toBe(308);
    expect(new URL(String(headers?.location), `https://api.example${prefix}/docs/`).pathname).toBe(`${prefix}/docs`);
  }
});

it.each([
  ["GET", "/docs/x/"],
  ["GET", "/v1/docs"],
  ["GET", "/"],
  ["POST", "/docs/"],
])("the catch-all answers %s %s with 404", async (method, path) => {
  expect(await notFound(at(path, method), lambdaContext)).toMatchObject({ statusCode: 404 });
});
