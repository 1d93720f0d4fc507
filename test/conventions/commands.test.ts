import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { freePorts } from "../../testkit/ports.ts";

/** How every command checks its arguments and settings. */
const ROOT = join(import.meta.dirname, "../..");

const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const npmScripts = Object.entries(scripts).flatMap(([name, line]) => {
  const file = /\bnode (\S+\.ts)$/.exec(line)?.[1];
  return file ? [{ invocation: name === "start" ? "npm start" : `npm run (-s )?${name}`, file }] : [];
});
const commands = [...npmScripts, { invocation: "npx node scripts/kill-rounds.ts", file: "scripts/kill-rounds.ts" }];

async function call(file: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

describe.concurrent.each(commands)("$file", ({ invocation, file }) => {
  test("prints its usage for --help", async ({ expect }) => {
    const { stdout, ...help } = await call(file, ["--help"]);
    expect(help).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: ${invocation}( .*)?\\n\\n`));
    const [, ...description] = stdout.trimEnd().split("\n");
    expect(readFileSync(join(ROOT, file), "utf8")).toContain(`\n${description.join("\n")}\``);
  });
});

test.concurrent.each([
  [
    "bench/bench.ts",
    ["--only", "W9"],
    "--only 'W9': must be one or more of 'W1', 'W2', 'W3', 'W4-many', 'W4-one', separated by commas",
  ],
  [
    "bench/bench.ts",
    ["--vs", "no-such-ref"],
    "--vs 'no-such-ref': must be a commit, a branch or a tag of this repository",
  ],
  ["bench/growth.ts", ["--only", "full"], /^--only 'full': must be one or more of 'empty', '100,000 transactions', /],
  ["bench/bench.ts", ["--no-such-option"], "Unknown option '--no-such-option'"],
  ["scripts/status.ts", ["--no-such-option"], "Unknown option '--no-such-option'"],
  ["scripts/simulate.ts", ["--seeds", "0"], "--seeds '0': must be a whole number from 1 to 999999999"],
  ["scripts/dlq.ts", [], "ACTION is missing"],
  ["scripts/dlq.ts", ["look"], "ACTION 'look': must be list, show or redrive"],
  ["scripts/dlq.ts", ["list", "more"], "Unexpected argument 'more'"],
  ["scripts/dlq.ts", ["list", "--user", "alice"], "list has no --user"],
  ["scripts/dlq.ts", ["show"], "ID is missing"],
  ["scripts/dlq.ts", ["redrive", "--user", ""], "--user '': must not be empty"],
  ["scripts/requeue.ts", [], "--older-than is missing"],
  ["scripts/requeue.ts", ["--older-than"], "Option '--older-than <value>' argument missing"],
  ["scripts/requeue.ts", ["--older-than", "10"], "--older-than '10': must be a number of s, m, h or d, such as 10m"],
  ["scripts/requeue.ts", ["--older-than", "ten"], "--older-than 'ten': must be a number of s, m, h or d, such as 10m"],
  ["scripts/verify.ts", ["--stage", "a b"], "--stage 'a b': must be letters, digits and hyphens"],
  ["scripts/sweep.ts", ["--stage", ""], "--stage '': must be letters, digits and hyphens"],
  ["scripts/listen.ts", ["--user", ""], "--user '': must not be empty"],
  ["scripts/listen.ts", ["--type", "payment"], /^--type 'payment': must be one of deposit, /],
  [
    "scripts/listen.ts",
    ["--forward-to", "localhost:3000"],
    "--forward-to 'localhost:3000': must be an http or https URL",
  ],
  ["scripts/sweep.ts", ["now"], "Unexpected argument 'now'"],
  ["localstack/token.ts", [], "USER is missing"],
  ["localstack/token.ts", [""], /^USER '': must be /],
  ["localstack/token.ts", ["a b"], /^USER 'a b': must be /],
])("%s %j is refused in one sentence", async (file, args, sentence) => {
  const { stderr, ...others } = await call(file, args);
  expect(others).toEqual({ code: 2, stdout: "" });
  const [first, usage, ...rest] = stderr.split("\n");
  expect(first).toEqual(typeof sentence === "string" ? sentence : expect.stringMatching(sentence));
  expect(usage).toMatch(new RegExp(`^Usage: ${commands.find((each) => each.file === file)?.invocation} `));
  expect(rest).toEqual([""]);
});

test.concurrent.each([
  ["localstack/token.ts", ["alice"], { AWS_PORT: "abc" }, "AWS_PORT=abc: must be a port number"],
  ["scripts/verify.ts", [], { AWS_PORT: "abc" }, "AWS_PORT=abc: must be a port number"],
  ["bench/bench.ts", [], { DYNAMODB_ENGINE: "oracle" }, /^DYNAMODB_ENGINE=oracle: /],
  ["bench/bench.ts", [], { EVENTS: "no" }, /^EVENTS=no: /],
  ["bench/cost.ts", [], { API_PORT: "abc" }, "API_PORT=abc: must be a port number"],
  ["artillery/load.ts", [], { API_PORT: "abc" }, "API_PORT=abc: must be a port number"],
  ["artillery/load.ts", [], { LOAD_RATE: "0" }, "LOAD_RATE=0: must be a whole number from 1 to 999999999"],
  ["artillery/load.ts", [], { API_URL: "localhost:4000" }, "API_URL=localhost:4000: must be an HTTP URL"],
])("%s %j with %j is refused in one sentence", async (file, args, environment, sentence) => {
  const { stderr, ...others } = await call(file, args, environment);
  expect(others).toEqual({ code: 2, stdout: "" });
  expect(stderr.split("\n")).toEqual([expect.stringMatching(sentence), ""]);
});

test("npm run load calls API_URL, or without it the local stack at API_PORT", async () => {
  const { API_PORT, OTHER } = await freePorts("API_PORT", "OTHER");
  const errorOf = async (environment: Readonly<Record<string, string>>) =>
    (await call("artillery/load.ts", [], environment)).stderr;
  expect(await errorOf({ API_PORT, API_URL: "" })).toContain(
    `There is no healthy Antler at http://localhost:${API_PORT}:`,
  );
  const API_URL = `http://127.0.0.1:${OTHER}`;
  expect(await errorOf({ API_PORT, API_URL })).toContain(`There is no healthy Antler at ${API_URL}:`);
});
