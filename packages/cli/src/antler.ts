import { CommanderError } from "commander";
import { report, sentenceOf } from "../../../scripts/command.ts";
import { createProgram } from "./program.ts";

const program = createProgram()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${sentenceOf(text)}\n`) });
// The reader of the output, such as head, has ended.
process.stdout.on("error", () => process.exit());
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else report(error, program.usage());
}
