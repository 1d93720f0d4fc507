import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { antler } from "../../testkit/antler.ts";
import { listenForTest } from "../../testkit/perTest.ts";

/** The command line as `npm pack` makes it, installed with its dependencies and without a network in an empty project. */
const ROOT = join(import.meta.dirname, "../..");
const PACKAGE = join(ROOT, "packages/cli");

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "antler-cli-"));
const project = join(folder, "project");
const program = join(project, "node_modules/@antler/cli/bin/antler.js");

const packedSchema = z.tuple([z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) })]);
const packageSchema = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });
const { version, dependencies } = packageSchema.parse(JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")));
let files: string[] = [];

/** Where a dependency is installed in this checkout. */
function folderOf(dependency: string): string {
  const own = join(PACKAGE, "node_modules", dependency);
  return existsSync(own) ? own : join(ROOT, "node_modules", dependency);
}

beforeAll(async () => {
  const pack = ["pack", "--json", "--workspace", "packages/cli", "--pack-destination", folder];
  const { stdout } = await run("npm", pack, { cwd: ROOT });
  // The output of prepack comes before the JSON.
  const [packed] = packedSchema.parse(JSON.parse(stdout.slice(stdout.search(/^\[/m))));
  files = packed.files.map(({ path }) => path);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{"name":"project","version":"1.0.0","type":"module"}');
  const flags = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  const packages = [join(folder, packed.filename), ...Object.keys(dependencies).map(folderOf)];
  await run("npm", ["install", ...flags, ...packages], { cwd: project });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed command line", () => {
  test("has one bundle, its README and its license, and nothing else", () => {
    expect(files.sort()).toEqual(["LICENSE", "README.md", "bin/antler.js", "dist/antler.js", "package.json"]);
    const bundle = readFileSync(join(PACKAGE, "dist/antler.js"), "utf8");
    const imported = [...bundle.matchAll(/^import .*?"([^"]+)";$/gm)].map(([, name = ""]) => name);
    const others = imported.filter((name) => !name.startsWith("node:") && !(name.split("/")[0] ?? "" in dependencies));
    expect(imported).toContain("commander");
    expect(others).toEqual([]);
  });

  test("calls the API with the token of a login", async () => {
    const requests: (string | undefined)[] = [];
    const server = createServer(({ method, url, headers }, response) => {
      requests.push(`${method} ${url} ${headers.authorization}`);
      response.writeHead(200, { "content-type": "application/json" });
      const balance = { currency: "USD", amount: "12.00", held: "2.00", available: "10.00" };
      response.end(JSON.stringify({ userId: "alice", status: "active", sequence: 1, hash: null, balances: [balance] }));
    });
    const apiUrl = `http://127.0.0.1:${await listenForTest(server)}`;
    const environment = { XDG_CONFIG_HOME: folder, ANTLER_API_URL: apiUrl, ANTLER_TOKEN: "" };
    const token = `e30.${Buffer.from('{"sub":"alice"}').toString("base64url")}.c2ln`;
    expect(await antler(["login", "--token", "-"], environment, { program, stdin: token })).toMatchObject({ code: 0 });
    expect(await antler(["balances"], environment, { program })).toEqual({
      code: 0,
      stdout: `| currency | available | held | balance |
| -------- | --------- | ---- | ------- |
| USD      | 10.00     | 2.00 | 12.00   |
`,
      stderr: "",
    });
    expect(new Set(requests)).toEqual(new Set([`GET /v1/users/alice/balances Bearer ${token}`]));
  });

  test("says that operators' commands and local tokens need a checkout", async () => {
    const refusal = {
      code: 1,
      stdout: "",
      stderr: "This needs a checkout of the repository: run it there, with npx antler\n",
    };
    const environment = { XDG_CONFIG_HOME: folder, ANTLER_API_URL: "http://127.0.0.1:1" };
    expect(await antler(["verify"], environment, { program })).toEqual(refusal);
    expect(await antler(["login", "--as", "alice"], environment, { program })).toEqual(refusal);
    expect(await antler(["--version"], {}, { program })).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});
