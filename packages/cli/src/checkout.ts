import { existsSync } from "node:fs";
import { CommandError, type Tool } from "../../../scripts/command.ts";

/** The repository, if this runs in a checkout of it, from `src/` or `dist/`. The packed package does not have its code. */
const ROOT = new URL("../../../", import.meta.url);

export const isCheckout = existsSync(new URL("scripts/target.ts", ROOT));

/** @throws CommandError outside of a checkout */
function moduleUrl(path: string): string {
  if (!isCheckout) throw new CommandError("This needs a checkout of the repository: run it there, with npx antler");
  return new URL(path, ROOT).href;
}

/** The command in `scripts/`. @throws CommandError outside of a checkout */
export async function importTool(name: string): Promise<Tool> {
  const script: { readonly default: Tool } = await import(moduleUrl(`scripts/${name}.ts`));
  return script.default;
}

/** @throws CommandError outside of a checkout */
export async function importIdentityProvider() {
  const provider: typeof import("../../../localstack/identityProvider.ts") = await import(
    moduleUrl("localstack/identityProvider.ts")
  );
  return provider;
}
