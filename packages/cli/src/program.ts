import { Command } from "commander";
import type { Tool } from "../../../scripts/command.ts";
import packageJson from "../package.json" with { type: "json" };
import { batchCommand } from "./batch.ts";
import { importTool, isCheckout } from "./checkout.ts";
import type { CliCommand } from "./cliCommand.ts";
import { type Completed, completionCommand } from "./completion.ts";
import { loginCommands } from "./login.ts";
import { movementCommands } from "./movements.ts";
import { OPERATOR_COMMANDS } from "./operators.ts";
import { readingCommands } from "./reading.ts";

export const USER_COMMANDS: readonly CliCommand[] = [
  ...loginCommands,
  ...readingCommands,
  ...movementCommands,
  batchCommand,
  completionCommand(listCompleted),
];

/** The command `antler`, with all others. Each reads its own arguments, as the scripts of the repository do. */
export function createProgram(): Command {
  const program = new Command("antler")
    .description("The command line of the Antler wallet ledger.")
    .usage("COMMAND [ARGUMENTS]")
    .version(packageJson.version, "--version", "print the version")
    .helpOption("-h, --help", "print this help; antler COMMAND --help prints that of a command")
    .helpCommand(false)
    .enablePositionalOptions()
    .addHelpText("after", HELP_AFTER);
  program.commandsGroup("Commands:");
  for (const { name, summary, tool } of USER_COMMANDS) add(program, name, summary, (args) => tool.run(args));
  program.commandsGroup("For operators, in a checkout of the repository, with access to the AWS of a stage:");
  for (const [name, summary] of OPERATOR_COMMANDS) {
    add(program, name, summary, async (args) => {
      const tool = await importTool(name);
      await tool.run(args, operatorUsage(tool));
    });
  }
  return program;
}

const HELP_AFTER = `
Data is printed on stdout, messages on stderr. --json prints one JSON value a line.
Exit codes: 0 done, 1 failed, 2 called wrongly, 3 rejected by the ledger, 4 still pending.
Environment: ANTLER_TOKEN in place of antler login, ANTLER_API_URL, ANTLER_STAGE, NO_COLOR.`;

/** The command's arguments are after node, this program and the name of the command. */
const ARGUMENTS_AT = 3;

function add(program: Command, name: string, summary: string, run: (args: readonly string[]) => Promise<void>): void {
  program
    .command(name)
    .summary(summary)
    .usage("[ARGUMENTS]")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => run(process.argv.slice(ARGUMENTS_AT)));
}

/** The usage of a script of the repository, as `antler` runs it: npm needs a `--` before the arguments. */
export function operatorUsage({ definition }: Tool): string {
  return definition.usage.replace("npm run ", "antler ").replace("-- ", "");
}

async function listCompleted(): Promise<readonly Completed[]> {
  const operators = isCheckout
    ? [...OPERATOR_COMMANDS].map(async ([name, summary]) => ({ name, summary, tool: await importTool(name) }))
    : [];
  return [...USER_COMMANDS, ...(await Promise.all(operators))].map(({ name, summary, tool }) => ({
    name,
    summary,
    options: [...Object.keys(tool.definition.options ?? {}), "help"].map((option) => `--${option}`),
  }));
}
