import { expect, inject, test } from "vitest";
import { tokenOf } from "../../testkit/client.ts";
import { blocksIn, examplesIn, freshUsers, runClientExamples, runExamples, shownBy } from "../../testkit/examples.ts";
import { folderForTest } from "../../testkit/perTest.ts";

const blocks = blocksIn("README.md");
const examples = examplesIn(blocks);

test("the README's examples, run in order by fresh users, print what the README shows", async () => {
  expect(examples.map(({ shown }) => shown?.language)).toEqual(["json", "json", "text"]);
  expect(await runExamples(examples, inject("apiUrl"), ["alice", "shop"])).toEqual(shownBy(examples));
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

test.skipIf(process.env.API_URL)(
  "the examples of antler's README, run in order by fresh users, print what it shows",
  async () => {
    const ofAntler = examplesIn(blocksIn("packages/cli/README.md"));
    expect(ofAntler.filter(({ shown }) => shown)).toHaveLength(5);
    const folder = folderForTest();
    const environment = { ...inject("stackEnvironment"), XDG_CONFIG_HOME: folder, TMPDIR: folder, ANTLER_TOKEN: "" };
    const printed = await runExamples(ofAntler, inject("apiUrl"), ["alice", "bob", "ops"], environment);
    // A column is as wide as its longest cell, here the name of a fresh user.
    const narrow = (text: unknown) => String(text).replace(/ +/g, " ").replace(/-{3,}/g, "---");
    expect(printed.map(narrow)).toEqual(shownBy(ofAntler).map(narrow));
  },
);

test("the examples of the client's README, run in order by a fresh user, print what it shows", async () => {
  const ofClient = examplesIn(blocksIn("packages/client/README.md"), "ts");
  expect(ofClient).toHaveLength(9);
  const users = freshUsers(["alice", "nobody"]);
  const ANTLER_TOKEN = await tokenOf(users.get("alice") ?? "");
  expect(
    await runClientExamples(ofClient, inject("apiUrl"), users, { ANTLER_TOKEN, WEBHOOK_SECRET: "whsec_c2VjcmV0" }),
  ).toEqual(shownBy(ofClient));
});
