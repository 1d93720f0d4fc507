import type { Command } from "../command.ts";
import { deposit } from "./deposit.ts";
import type { Change, Movement } from "./movement.ts";
import { withdrawal } from "./withdrawal.ts";

const MOVEMENTS: { readonly [Type in Command["type"]]: Movement<Extract<Command, { type: Type }>> } = {
  deposit,
  withdrawal,
};

/** The changes of the wallet if a command is posted. */
export function changesOf<Type extends Command["type"]>(command: Extract<Command, { type: Type }>): readonly Change[] {
  return MOVEMENTS[command.type].changes(command);
}
