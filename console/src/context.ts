import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Client } from "../../packages/client/src/index.ts";

/** What every page uses. */
export interface Console {
  readonly client: Client;
  /** The signed-in user. */
  readonly userId: string;
  /** True if the user can act for all users. */
  readonly isOperator: boolean;
}

export const ConsoleContext = createContext<Console | undefined>(undefined);

/** @throws Error outside of the shell */
export function useConsole(): Console {
  const value = useContext(ConsoleContext);
  if (!value) throw new Error("There is no console around this component");
  return value;
}
