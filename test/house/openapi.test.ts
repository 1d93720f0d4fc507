import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { printOpenApi } from "../../lib/http/openapi.ts";
import { PROBLEMS } from "../../lib/http/problem.ts";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"] as const;

const operationSchema = z.looseObject({
  operationId: z.string(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  responses: z.record(z.string(), z.unknown()),
});
const documentSchema = z.looseObject({
  openapi: z.string().startsWith("3.1."),
  paths: z.record(z.string(), z.partialRecord(z.enum(METHODS), operationSchema)),
});
const serverlessSchema = z.looseObject({
  functions: z.record(
    z.string(),
    z.looseObject({ events: z.array(z.looseObject({ httpApi: z.string().optional() })).default([]) }),
  ),
});

const checkedIn = readFileSync(new URL("../../docs/reference/openapi.json", import.meta.url), "utf8");
const document = documentSchema.parse(JSON.parse(printOpenApi()));
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, ...operation })),
);

/** The routes of serverless.yml, each with its function. Its CloudFormation tags mean nothing here. */
function routesOfFunctions(): Map<string, string> {
  const text = readFileSync(new URL("../../serverless.yml", import.meta.url), "utf8");
  const { functions } = serverlessSchema.parse(parse(text, { logLevel: "silent", merge: true }));
  return new Map(
    Object.entries(functions).flatMap(([name, { events }]) =>
      events.flatMap(({ httpApi }) => (httpApi === undefined ? [] : [[httpApi, name] as const])),
    ),
  );
}

describe("the OpenAPI document", () => {
  it("is checked in as the schemas make it: run `npm run openapi` after a change", () => {
    expect(checkedIn).toBe(printOpenApi());
  });

  it("has exactly the routes of serverless.yml: a POST in the commands function, a GET in the one of its name", () => {
    const routes = routesOfFunctions();
    // Neither the catch-all, nor the redirect to the documentation page, nor the page's files are part of the API.
    for (const route of ["*", "GET /", "GET /docs/{asset}"]) expect(routes.delete(route)).toBe(true);

    const documented = operations.map(({ route, operationId }) => [
      route,
      route.startsWith("POST ") ? "commands" : operationId,
    ]);

    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(routes));
  });

  it.each(Object.keys(PROBLEMS))("tells of the problem %s", (code) => {
    expect(operations.some(({ responses }) => codesIn(responses).has(code))).toBe(true);
  });

  it("names every problem under the status that it has", () => {
    for (const { responses } of operations) {
      for (const [status, response] of Object.entries(responses)) {
        for (const code of codesIn(response)) {
          expect(Object.entries(PROBLEMS)).toContainEqual([code, expect.objectContaining({ status: Number(status) })]);
        }
      }
    }
  });

  it("asks for a token on every wallet's routes and on no other", () => {
    for (const { route, security, responses } of operations) {
      const needsToken = route.includes("/users/{userId}");
      expect(security, route).toEqual(needsToken ? [{ bearer: [] }] : []);
      expect("401" in responses && "403" in responses, route).toBe(needsToken);
    }
  });

  it("is made by no function: they serve the checked-in text", () => {
    const root = new URL("../../", import.meta.url);
    const importers = globSync("{functions,lib}/**/*.ts", { cwd: root }).filter((path) =>
      /from "[^"]*\/openapi\.ts"|from "zod-openapi"/.test(readFileSync(new URL(path, root), "utf8")),
    );
    expect(importers).toEqual(["lib/http/openapi.ts"]);
  });

  it("refers to nothing that it does not have", () => {
    const text = printOpenApi();
    for (const [, pointer = ""] of text.matchAll(/"\$ref": "#([^"]+)"/g)) {
      expect(at(document, pointer), pointer).toBeDefined();
    }
  });
});

/** Problem codes in the enums below a response, its reference followed. */
function codesIn(value: unknown): Set<string> {
  if (Array.isArray(value)) return new Set(value.flatMap((each) => [...codesIn(each)]));
  if (typeof value !== "object" || value === null) return new Set();
  if ("$ref" in value && typeof value.$ref === "string" && value.$ref.startsWith("#/components/responses/")) {
    return codesIn(at(document, value.$ref.slice(1)));
  }
  const own = z.looseObject({ code: z.looseObject({ enum: z.array(z.string()) }) }).safeParse(value);
  const codes = own.success ? own.data.code.enum : [];
  return new Set([...codes, ...Object.values(value).flatMap((each) => [...codesIn(each)])]);
}

function at(value: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>(
      (found, part) =>
        typeof found === "object" && found !== null
          ? Object.entries(found).find(([key]) => key === part)?.[1]
          : undefined,
      value,
    );
}
