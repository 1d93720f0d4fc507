/** What a person is told who asks for something that can't be done. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/**
 * Runs a command for people. Whatever goes wrong is told in one line, and the exit code is 1.
 *
 * @param usage told when the arguments can't be understood
 */
export async function command(usage: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(isAboutArguments(error) ? usage : oneLine(error));
    process.exitCode = 1;
  }
}

/** What `parseArgs` throws. */
function isAboutArguments(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}

function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.name === "Refusal" || error.name === "SettingError" ? error.message : `${error}`).split("\n")[0] ?? "";
}
