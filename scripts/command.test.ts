import { spawnSync } from "node:child_process";
import { afterEach, expect, test, vi } from "vitest";
import * as z from "zod";
import { SettingError } from "../localstack/settings.ts";
import { CommandError, command, parseArguments, someOf, UsageError, wholeNumber } from "./command.ts";

const definition = {
  usage: "Usage: npm run try -- USER [NOTE] [--runs N] [--only A,B] [--fast]\n\nTries.",
  options: {
    runs: wholeNumber(1).default(3),
    only: someOf(["1,000", "two words"]).optional(),
    fast: z.boolean().optional(),
    tag: z.array(z.string()).optional(),
  },
  positionals: { user: z.string().regex(/^[a-z]+$/, "must be lower-case letters"), note: z.string().optional() },
};
const parse = (...args: string[]) => parseArguments(definition, args);

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

test("values are returned by name, and a missing option has its default", () => {
  expect(parse("alice")).toEqual({ user: "alice", runs: 3 });
  expect(parse("--runs", "5", "alice", "--fast", "--only=two words,1,000", "--tag", "a", "hello", "--tag=-b")).toEqual({
    user: "alice",
    note: "hello",
    runs: 5,
    only: ["1,000", "two words"],
    fast: true,
    tag: ["a", "-b"],
  });
});

test.each([["--help"], ["-h"], ["alice", "--help"]])(
  "with %j the usage is printed, even if an argument is missing",
  (...args) => {
    expect(parse(...args)).toBeUndefined();
  },
);

test.each([
  [["alice", "--no-such"], "Unknown option '--no-such'"],
  [["alice", "-x"], "Unknown option '-x'"],
  [["alice", "--a\nb"], "Unknown option '--a\\nb'"],
  [["alice", "--runs"], "Option '--runs <value>' argument missing"],
  [["alice", "--runs", "--fast"], "Option '--runs <value>' argument missing"],
  [["alice", "--fast=1"], "Unknown option '--fast=1' (Did you mean --fast?)"],
  [["alice", "--run", "5"], "Unknown option '--run' (Did you mean --runs?)"],
  [[], "USER is missing"],
  [["alice", "hello", "a\x1b"], "Unexpected argument 'a\\x1b'"],
  [["A\nB"], "USER 'A\\nB': must be lower-case letters"],
  ...["0", "", "-1", " 1", "1e1", "0x10", "1.5", "1000000000"].map((runs): [string[], string] => [
    ["alice", `--runs=${runs}`],
    `--runs '${runs}': must be a whole number from 1 to 999999999`,
  ]),
  ...["three", "1,000,three", "", "1,000,", "1,000,1,000"].map((only): [string[], string] => [
    ["alice", "--only", only],
    `--only '${only}': must be one or more of '1,000', 'two words', separated by commas`,
  ]),
])("%j is rejected in one sentence", (args, sentence) => {
  expect(() => parse(...args)).toThrow(new UsageError(sentence));
});

test.each([
  [
    new UsageError("USER is missing"),
    2,
    "USER is missing\nUsage: npm run try -- USER [NOTE] [--runs N] [--only A,B] [--fast]",
  ],
  [new SettingError("AWS_PORT=abc: must be a port number"), 2, "AWS_PORT=abc: must be a port number"],
  [new CommandError("There is no queue"), 1, "There is no queue"],
  [new TypeError("no\x1b[2J user\nResent: 0"), 1, "TypeError: no\\x1b[2J user"],
])(
  "when a command fails with %o, it prints no stack trace and the exit code is %i",
  async (error, exitCode, printed) => {
    vi.spyOn(process, "argv", "get").mockReturnValue(["node", "try.ts", "alice"]);
    vi.spyOn(process, "on").mockReturnThis();
    const print = vi.spyOn(console, "error").mockImplementation(() => {});
    await command(definition, () => Promise.reject(error), true);
    expect(print.mock.calls).toEqual([[printed]]);
    expect(process.exitCode).toBe(exitCode);
  },
);

test.each([
  ["of the system", 'readFileSync("/no/file")', /^Error: ENOENT: no such file or directory, open '\/no\/file'\n$/],
  ["that the command explains", 'throw new CommandError("There is no Python")', /^There is no Python\n$/],
  ["that can be a bug", "throw new TypeError()", /^TypeError.*\n +at /],
])(
  "an error %s that nothing catches is printed, with a stack trace only if it can be a bug",
  (_which, code, printed) => {
    const script = `
    import { readFileSync } from "node:fs";
    import { CommandError, readArguments } from ${JSON.stringify(new URL("command.ts", import.meta.url).href)};
    readArguments({ usage: "" });
    ${code};
  `;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(printed);
  },
);
