import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
// @ts-expect-error: the package has no types
import Lambda from "serverless-offline/lambda";
import { beforeEach, expect, test } from "vitest";
import { folderForTest } from "../../testkit/perTest.ts";

// The changes of patches/serverless-offline to its runner. Without them the local API is slow under load.
let folder: string;
beforeEach(() => {
  folder = folderForTest();
  writeFileSync(
    join(folder, "one.mjs"),
    "export const handler = async () => 'done'; export const never = () => new Promise(() => {});",
  );
});

function functionOf(exportName: string, timeout: number) {
  const serverless = {
    service: { service: "test", provider: { region: "us-east-1", runtime: "nodejs24.x", environment: {} } },
    config: { serverlessPath: "", servicePath: folder },
    serviceDir: folder,
  };
  const lambda = new Lambda(serverless, { useInProcess: true });
  const functionDefinition = { name: "one", handler: `one.${exportName}`, timeout, environment: {} };
  lambda.create([{ functionKey: "one", functionDefinition }]);
  return lambda.get("one");
}

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

test("an invocation that has ended leaves no timer behind", async () => {
  const before = timers();
  const handler = functionOf("handler", 20);
  for (let invocation = 1; invocation <= 3; invocation++) expect(await handler.runHandler()).toBe("done");
  expect(timers()).toBe(before);
});

test("an invocation that does not end is ended by its timeout", async () => {
  await expect(functionOf("never", 0.02).runHandler()).rejects.toThrow("Lambda timeout");
});

test("a function is read from disk once, not for every invocation", async () => {
  const handler = functionOf("handler", 20);
  expect(await handler.runHandler()).toBe("done");
  rmSync(join(folder, "one.mjs"));
  expect(await handler.runHandler()).toBe("done");
});
