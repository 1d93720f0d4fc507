import { Command, CommanderError, Option } from "commander";
import * as z from "zod";
import { readSettings, SettingError } from "../localstack/settings.ts";
import { printable } from "./printable.ts";

/** An expected failure, such as of a queue that does not exist: the command prints only the message. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** An invalid argument: the command prints the message and its usage line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Schemas = Readonly<Record<string, z.core.$ZodType>>;

/** How a command is called. A schema's message continues the argument's name and value: "must be …". */
export interface Definition<Options extends Schemas, Positionals extends Schemas> {
  /** The usage line, and below it what the command does. */
  readonly usage: string;
  /**
   * By name. An option whose schema accepts `true` takes no value, and one whose schema accepts a list can be repeated. The
   * help lists those whose schema has a `description`, with its `value` as the name of the value.
   */
  readonly options?: Options;
  /** In order; the usage line has their names in capitals. */
  readonly positionals?: Positionals;
  /** Whether an invalid setting of the local stack is reported before the command starts. */
  readonly usesLocalSettings?: boolean;
}

/** The schema of a count. */
export function wholeNumber(min: number) {
  const message = `must be a whole number from ${min} to 999999999`;
  return z
    .string()
    .regex(/^[0-9]{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= min, message);
}

/** The schema of a choice: some of the names, each once, separated by commas; a name may contain commas. */
export function someOf(names: readonly string[]) {
  const pick = (text: string) => names.filter((name) => `,${text},`.includes(`,${name},`));
  const message = `must be one or more of '${names.join("', '")}', separated by commas`;
  return z
    .string()
    .refine((text) => text !== "" && pick(text).join(",").length === text.length, message)
    .transform(pick);
}

/**
 * @returns the values of options and positionals by their names; undefined for `--help`
 * @throws UsageError
 */
export function parseArguments<
  Options extends Schemas = Record<never, never>,
  Positionals extends Schemas = Record<never, never>,
>({ options, positionals }: Definition<Options, Positionals>, args: readonly string[]) {
  const shape: Options & Positionals = Object.assign({}, options, positionals);
  const names = Object.keys(positionals ?? {});
  const { values, positionals: texts, isHelp } = split(options ?? {}, args);
  if (isHelp) return undefined;
  const unexpected = texts[names.length];
  if (unexpected !== undefined) throw new UsageError(`Unexpected argument '${printable(unexpected)}'`);

  const given: Record<string, unknown> = { ...values };
  for (const [index, name] of names.entries()) given[name] = texts[index];
  const parsed = z.object(shape).safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0]);
  const label = names.includes(name) ? name.toUpperCase() : `--${name}`;
  const value = given[name];
  throw new UsageError(
    value === undefined ? `${label} is missing` : `${label} '${printable(String(value))}': ${issue?.message}`,
  );
}

/** @throws UsageError */
function split(schemas: Schemas, args: readonly string[]) {
  const command = new Command()
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .argument("[positionals...]");
  const options = Object.entries(schemas).map(([name, schema]) => ({ name, option: optionOf(name, schema) }));
  for (const { option } of options) command.addOption(option);

  const end = args.indexOf("--");
  for (const [index, arg] of args.slice(0, end < 0 ? undefined : end).entries()) {
    // Commander would take another option as the value.
    const option = options.find(({ name, option }) => option.required && arg === `--${name}`)?.option;
    if (option && /^-./.test(args[index + 1] ?? "")) throw new UsageError(`Option '${option.flags}' argument missing`);
  }
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { values: {}, positionals: [], isHelp: true };
    throw new UsageError(sentenceOf(error.message));
  }
  const given: Record<string, unknown> = command.opts();
  const values = Object.fromEntries(options.map(({ name, option }) => [name, given[option.attributeName()]]));
  return { values, positionals: command.args, isHelp: false };
}

/** A message of commander's, as the commands print errors: in one line, which neither forges another nor controls the terminal. */
export function sentenceOf(message: string): string {
  const text = message
    .trim()
    .replace(/^error: /, "")
    .replace("\n(Did you", " (Did you");
  return printable(text.charAt(0).toUpperCase() + text.slice(1));
}

function optionOf(name: string, schema: z.core.$ZodType): Option {
  const option = new Option(accepts(schema, true) ? `--${name}` : `--${name} <value>`);
  return accepts(schema, []) ? option.argParser((value, list: string[] = []) => [...list, value]) : option;
}

function accepts(schema: z.core.$ZodType, value: unknown): boolean {
  return z.safeParse(schema, value).success;
}

/** What `--help` prints: the usage, and the options that are described. */
export function helpOf({ usage, options = {} }: Definition<Schemas, Schemas>): string {
  const described = Object.entries(options).flatMap(([name, schema]) => {
    const { description, value } = z.globalRegistry.get(schema) ?? {};
    const flags = typeof value === "string" ? `--${name} ${value}` : `--${name}`;
    return description === undefined ? [] : [{ flags, description }];
  });
  if (described.length === 0) return usage;
  const width = Math.max(...described.map(({ flags }) => flags.length));
  return [usage, "", "Options:", ...described.map((each) => `  ${each.flags.padEnd(width)}  ${each.description}`)].join(
    "\n",
  );
}

/** A command: how it is called, and what it does. */
export interface Tool {
  readonly definition: Definition<Schemas, Schemas>;
  /**
   * Runs it, and reports a failure in one line: with exit code 2 for an invalid argument or setting, otherwise 1.
   *
   * @param usage if it is called in another way than the definition says
   */
  run(args: readonly string[], usage?: string): Promise<void>;
}

type Main<Options extends Schemas, Positionals extends Schemas> = (
  values: z.output<z.ZodObject<Options & Positionals>>,
) => Promise<void>;

export function defineTool<
  Options extends Schemas = Record<never, never>,
  Positionals extends Schemas = Record<never, never>,
>(definition: Definition<Options, Positionals>, main: Main<Options, Positionals>): Tool {
  return {
    definition,
    async run(args, usage = definition.usage) {
      try {
        const values = read({ ...definition, usage }, args);
        if (values) await main(values);
      } catch (error) {
        report(error, usage);
      }
    },
  };
}

/** As {@link defineTool}. If `isMain`, it also runs the command with the arguments of this process. */
export async function command<
  Options extends Schemas = Record<never, never>,
  Positionals extends Schemas = Record<never, never>,
>(definition: Definition<Options, Positionals>, main: Main<Options, Positionals>, isMain: boolean): Promise<Tool> {
  const tool = defineTool(definition, main);
  if (isMain) await tool.run(process.argv.slice(2));
  return tool;
}

/**
 * Reads the arguments of this process. `--help` prints the usage and ends the process with exit code 0; an invalid
 * argument or setting is reported in one sentence, with exit code 2. An error that nothing catches later ends the process
 * with exit code 1, and has a stack trace only if it can be a bug.
 */
export function readArguments<
  Options extends Schemas = Record<never, never>,
  Positionals extends Schemas = Record<never, never>,
>(definition: Definition<Options, Positionals>) {
  try {
    const values = read(definition, process.argv.slice(2));
    if (values) return values;
  } catch (error) {
    report(error, definition.usage);
  }
  process.exit();
}

/** @returns undefined after it has printed the help */
function read<Options extends Schemas, Positionals extends Schemas>(
  definition: Definition<Options, Positionals>,
  args: readonly string[],
) {
  const values = parseArguments(definition, args);
  if (!values) {
    console.log(helpOf(definition));
    return undefined;
  }
  if (definition.usesLocalSettings) readSettings(process.env);
  process.on("uncaughtException", (error) => {
    console.error(isClear(error) ? printable(oneLine(error)) : error);
    process.exit(1);
  });
  return values;
}

/** Prints a failure in one line, and sets the exit code, as {@link Tool} says. */
export function report(error: unknown, usage: string): void {
  const isUsage = error instanceof UsageError;
  console.error(isUsage ? `${error.message}\n${usage.split("\n")[0]}` : printable(oneLine(error)));
  process.exitCode = isUsage || error instanceof SettingError ? 2 : 1;
}

/** Whether the message of an error says enough. The system's errors name the call and the file. */
export function isClear(error: unknown): error is Error {
  return (
    error instanceof SettingError || error instanceof CommandError || (error instanceof Error && "syscall" in error)
  );
}

function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (
    (error instanceof CommandError || error instanceof SettingError ? error.message : `${error}`).split("\n")[0] ?? ""
  );
}
