import * as z from "zod";
import { defineTool } from "../../../scripts/command.ts";
import type { CliCommand } from "./cliCommand.ts";

/** What a shell completes: the name of a command, its summary, and its options. */
export interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly string[];
}

const WRITERS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** @param list lists all commands */
export function completionCommand(list: () => Promise<readonly Completed[]>): CliCommand {
  const tool = defineTool(
    {
      usage: `Usage: antler completion bash | zsh | fish

Prints a script with which the shell completes commands and options:

  bash  source <(antler completion bash)       in ~/.bashrc
  zsh   source <(antler completion zsh)        in ~/.zshrc, after compinit
  fish  antler completion fish | source        in ~/.config/fish/config.fish`,
      positionals: { shell: z.enum(["bash", "zsh", "fish"], "must be bash, zsh or fish") },
    },
    async ({ shell }) => console.log(WRITERS[shell](await list())),
  );
  return { name: "completion", summary: "print the completion script of a shell", tool };
}

function namesOf(commands: readonly Completed[]): string {
  return commands.map(({ name }) => name).join(" ");
}

function bashScript(commands: readonly Completed[]): string {
  return `_antler() {
  local options
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${namesOf(commands)} --help --version" -- "\${COMP_WORDS[1]}"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map(({ name, options }) => `    ${name}) options="${options.join(" ")}" ;;`).join("\n")}
  esac
  case "\${COMP_WORDS[COMP_CWORD]}" in
    -*) COMPREPLY=($(compgen -W "$options" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;
    *) COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")) ;;
  esac
}
complete -F _antler antler`;
}

function zshScript(commands: readonly Completed[]): string {
  return `_antler() {
  if (( CURRENT == 2 )); then
    local -a subcommands=(
${commands.map(({ name, summary }) => `      ${quoted(`${name}:${summary}`)}`).join("\n")}
    )
    _describe command subcommands
    return
  fi
  if [[ $words[CURRENT] != -* ]]; then
    _files
    return
  fi
  case $words[2] in
${commands.map(({ name, options }) => `    ${name}) compadd -- ${options.join(" ")} ;;`).join("\n")}
  esac
}
compdef _antler antler`;
}

function fishScript(commands: readonly Completed[]): string {
  return commands
    .flatMap(({ name, summary, options }) => [
      `complete -c antler -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...options.map(
        (option) => `complete -c antler -n '__fish_seen_subcommand_from ${name}' -l ${option.replace(/^--/, "")}`,
      ),
    ])
    .join("\n");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
