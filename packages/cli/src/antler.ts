import { CommanderError } from "commander";
import { printable } from "../../../scripts/printable.ts";
import { createProgram } from "./program.ts";

const program = createProgram()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${sentence(text)}\n`) });
// The reader of the output, such as head, has ended.
process.stdout.on("error", () => process.exit());
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

/** One line of commander's, as the commands print errors too. */
function sentence(text: string): string {
  const line = text.trim().replace(/^error: /, "").replace(/\s+/g, " ");
  return printable(line.charAt(0).toUpperCase() + line.slice(1));
}
