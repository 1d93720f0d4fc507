import type { Client } from "../../../packages/client/src/index.ts";
import { useConsole } from "../context.ts";
import { type CommandRunner, createCommandRunner } from "../logic/commandRunner.ts";

/** The commands continue while the user goes from page to page, so that they belong to the window and to no page. */
let current: { readonly client: Client; readonly userId: string; readonly runner: CommandRunner } | undefined;

/** What sends the commands of this window. At first it continues what a reload has interrupted. */
export function useCommandRunner(): CommandRunner {
  const { client, userId } = useConsole();
  if (current?.client !== client || current.userId !== userId) {
    const newKey = () => crypto.randomUUID();
    const runner = createCommandRunner({ client, storage: sessionStorage, subject: userId, newKey });
    runner.resume();
    addEventListener("online", runner.retryUnknown);
    if (current) removeEventListener("online", current.runner.retryUnknown);
    current = { client, userId, runner };
  }
  return current.runner;
}
