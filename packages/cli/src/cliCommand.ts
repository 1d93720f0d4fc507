import type { Tool } from "../../../scripts/command.ts";

/** A command of `antler`. */
export interface CliCommand {
  readonly name: string;
  /** What it does, in the list of all commands. */
  readonly summary: string;
  readonly tool: Tool;
}
