import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { newUser } from "../../testkit/client.ts";

const ROOT = join(import.meta.dirname, "../..");
const README_API_URL = "http://localhost:4000";
const SEPARATOR = "--- end of an example ---";

const blocks = [...readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
  ([, language = "", text = ""]) => ({ language, text }),
);
const examples = blocks.flatMap(({ language, text }, index) =>
  language === "bash" ? [{ commands: text, next: blocks[index + 1] }] : [],
);

/**
 * The output, parsed if it is JSON and made comparable: the fresh user's name is alice's; an id is derived from the user's
 * name, so every transaction id becomes `tx_…`; every hash becomes `HASH`, every time of day `TIME` and every request id
 * `REQUEST`.
 */
function comparable(output: string, language: string | undefined, user = "alice"): unknown {
  const text = output
    .trim()
    .replaceAll(user, "alice")
    .replace(/tx_[\w-]{43}/g, "tx_…")
    .replace(/(?<![\w-])[\w-]{43}(?![\w-])/g, "HASH")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "REQUEST");
  return language === "json" ? JSON.parse(text) : text;
}

test("the README's examples, run in order by a fresh user, print what the README shows", () => {
  const user = newUser("alice");
  const script = examples
    .map(({ commands }) => `${commands}\necho; echo "${SEPARATOR}"`)
    .join("\n")
    .replaceAll(README_API_URL, inject("apiUrl"))
    .replaceAll("alice", user);
  const outputs = execFileSync("bash", ["-c", script], { cwd: ROOT, encoding: "utf8" }).split(SEPARATOR).slice(0, -1);

  expect(examples.map(({ next }) => next?.language)).toEqual(["json", "json", "text"]);
  expect(outputs.map((output, index) => comparable(output, examples[index]?.next?.language, user))).toEqual(
    examples.map(({ next }) => comparable(next?.text ?? "", next?.language)),
  );
});

// A stack that runs elsewhere has printed its start somewhere else.
test.skipIf(process.env.API_URL)("npm start prints the addresses and the first example that the README shows", () => {
  const { API_PORT, AWS_PORT, DYNAMODB_PORT, METRICS_PORT } = inject("stackEnvironment");
  const ports = new Map([
    [API_PORT, "4000"],
    [AWS_PORT, "4566"],
    [DYNAMODB_PORT, "4567"],
    [METRICS_PORT, "9464"],
  ]);
  const output = inject("stackOutput").replace(/(?<=:)\d+\b/g, (port) => ports.get(port) ?? port);

  const addresses = blocks.find(({ language }) => language === "text")?.text ?? "";
  expect(addresses).toContain("Antler is ready.");
  expect(output).toContain(addresses);
  expect(output.replace(/^ {2}/gm, "")).toContain(examples[0]?.commands);
});
