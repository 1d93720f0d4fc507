import { parseArgs } from "node:util";
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
  /** By name. An option whose schema accepts `true` takes no value. */
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
  const { values, positionals: texts } = split(options ?? {}, args);
  if (values.help) return undefined;
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

function split(schemas: Schemas, args: readonly string[]) {
  const options = Object.entries(schemas).map(([name, schema]) => {
    const type = z.safeParse(schema, true).success ? ("boolean" as const) : ("string" as const);
    return [name, { type }] as const;
  });
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { ...Object.fromEntries(options), help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    // The sentences after the first are general advice of Node's.
    if (isAboutArguments(error)) throw new UsageError(printable(error.message.split(/\. |\.?\n/)[0] ?? ""));
    throw error;
  }
}

/** Whether `parseArgs` threw it. */
function isAboutArguments(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
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
    const values = parseArguments(definition, process.argv.slice(2));
    if (values && definition.usesLocalSettings) readSettings(process.env);
    if (values) {
      process.on("uncaughtException", (error) => {
        console.error(isClear(error) ? printable(oneLine(error)) : error);
        process.exit(1);
      });
      return values;
    }
    console.log(definition.usage);
  } catch (error) {
    report(error, definition.usage);
  }
  process.exit();
}

/** Runs a command, and reports a failure in one line: with exit code 2 for an invalid argument or setting, otherwise 1. */
export async function command<
  Options extends Schemas = Record<never, never>,
  Positionals extends Schemas = Record<never, never>,
>(
  definition: Definition<Options, Positionals>,
  main: (values: z.output<z.ZodObject<Options & Positionals>>) => Promise<void>,
): Promise<void> {
  const values = readArguments(definition);
  try {
    await main(values);
  } catch (error) {
    report(error, definition.usage);
  }
}

function report(error: unknown, usage: string): void {
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
