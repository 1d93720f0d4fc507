import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { newUser } from "./client.ts";
import { folderForTest } from "./perTest.ts";

const ROOT = join(import.meta.dirname, "..");
const EXAMPLES_API_URL = "http://localhost:4000";
const SEPARATOR = "--- end of an example ---";

/** A fenced block of a Markdown page. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** A block of a page that can be run: `bash` or `ts`. */
export interface Example {
  readonly commands: string;
  /** The block after it, if that shows the output. */
  readonly shown: Block | undefined;
}

/** @param page path of a Markdown file in this repository */
export function blocksIn(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({ language, text }));
}

export function examplesIn(blocks: readonly Block[], of: "bash" | "ts" = "bash"): Example[] {
  return blocks.flatMap(({ language, text }, index) => {
    const next = blocks[index + 1];
    const shown = next?.language === of ? undefined : next;
    return language === of ? [{ commands: text, shown }] : [];
  });
}

/** What the examples show, in the form of {@link runExamples}. */
export function shownBy(examples: readonly Example[]): unknown[] {
  return examples.map(({ shown }) => comparable(shown?.text ?? "", shown?.language, new Map()));
}

/**
 * Runs examples in order in one shell, for fresh users in the place of the named ones.
 *
 * @param environment of the stack, for the commands that use it directly
 * @returns what each prints, made comparable
 */
export async function runExamples(
  examples: readonly Example[],
  apiUrl: string,
  names: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<unknown[]> {
  const users = freshUsers(names);
  const script = scriptOf(examples, apiUrl, users, `echo; echo "${SEPARATOR}"`);
  return runScript(["bash", "-c", script], examples, users, environment);
}

/** Runs examples that use the client, in order as one program, like {@link runExamples}. */
export function runClientExamples(
  examples: readonly Example[],
  apiUrl: string,
  users: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string>>,
): Promise<unknown[]> {
  const file = join(folderForTest(), "examples.ts");
  const client = pathToFileURL(join(ROOT, "packages/client/src/index.ts")).href;
  const program = scriptOf(examples, apiUrl, users, `console.log("${SEPARATOR}");`);
  writeFileSync(file, program.replaceAll('"@antler/client"', JSON.stringify(client)));
  return runScript([process.execPath, file], examples, users, environment);
}

/** @returns a user that exists in no other test for each name */
export function freshUsers(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name, newUser(name)]));
}

function scriptOf(
  examples: readonly Example[],
  apiUrl: string,
  users: ReadonlyMap<string, string>,
  printSeparator: string,
): string {
  const script = examples
    .map(({ commands }) => `${commands}\n${printSeparator}`)
    .join("\n")
    .replaceAll(EXAMPLES_API_URL, apiUrl);
  return [...users].reduce((text, [name, user]) => text.replace(new RegExp(`\\b${name}\\b`, "g"), user), script);
}

async function runScript(
  [program, ...args]: readonly [string, ...string[]],
  examples: readonly Example[],
  users: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string>>,
): Promise<unknown[]> {
  const { stdout } = await promisify(execFile)(program, args, {
    ...{ cwd: ROOT, encoding: "utf8" },
    env: { ...process.env, ...environment },
  });
  const outputs = stdout.split(SEPARATOR).slice(0, -1);
  return outputs.map((output, index) => comparable(output, examples[index]?.shown?.language, users));
}

/**
 * The output, parsed if it is JSON and made comparable: a fresh user has the name in the page; an id is derived from the
 * user's name, so every transaction id becomes `tx_…`; every hash becomes `HASH`, every time `TIME` and every request id
 * `REQUEST`; every end of a line is that of the page.
 */
function comparable(output: string, language: string | undefined, users: ReadonlyMap<string, string>): unknown {
  const named = [...users].reduce((text, [name, user]) => text.replaceAll(user, name), output.trim());
  const text = named
    .replaceAll("\r\n", "\n")
    .replace(/tx_[\w-]{43}/g, "tx_…")
    .replace(/(?<![\w-])[\w-]{43}(?![\w-])/g, "HASH")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "REQUEST");
  return language === "json" ? JSON.parse(text) : text;
}
