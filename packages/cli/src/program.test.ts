import { expect, test } from "vitest";
import { helpOf } from "../../../scripts/command.ts";
import { importTool } from "./checkout.ts";
import { OPERATOR_COMMANDS } from "./operators.ts";
import { createProgram, operatorUsage, USER_COMMANDS } from "./program.ts";

/** The help is checked in: `npx vitest run packages/cli/src/program.test.ts -u` writes it after a change. */

test("the help of antler is checked in", async () => {
  let help = "";
  const writeOut = (text: string) => {
    help += text;
  };
  createProgram()
    .configureOutput({ writeOut, getOutHelpWidth: () => 120 })
    .outputHelp();
  await expect(help).toMatchFileSnapshot("../help/antler.txt");
});

test.each(USER_COMMANDS)("the help of antler $name is checked in", async ({ name, tool }) => {
  await expect(`${helpOf(tool.definition)}\n`).toMatchFileSnapshot(`../help/${name}.txt`);
});

test.each([...OPERATOR_COMMANDS.keys()])("the help of antler %s is checked in", async (name) => {
  const tool = await importTool(name);
  const help = helpOf({ ...tool.definition, usage: operatorUsage(tool) });
  await expect(`${help}\n`).toMatchFileSnapshot(`../help/${name}.txt`);
});
