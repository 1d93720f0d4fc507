import { useConsole } from "../context.ts";
import { COMMAND_NAMES } from "../logic/commandNames.ts";
import type { CommandType } from "../logic/draft.ts";
import { commandHref } from "../logic/links.ts";

const OF_USERS: readonly CommandType[] = ["transfer", "deposit", "withdrawal", "hold"];
const OF_OPERATORS: readonly CommandType[] = [...OF_USERS, "exchange", "status_change"];

/** Links to the forms of a wallet's commands. */
export function WalletActions({ userId }: { readonly userId: string }) {
  const { isOperator } = useConsole();
  return (
    <ul class="actions" aria-label="Commands">
      {(isOperator ? OF_OPERATORS : OF_USERS).map((type, index) => (
        <li key={type}>
          <a class={index === 0 ? "button primary" : "button"} href={commandHref(userId, type)}>
            {COMMAND_NAMES[type].title}
          </a>
        </li>
      ))}
    </ul>
  );
}
