import type { CommandOf, CommandType } from "../command.ts";
import { capture } from "./capture.ts";
import { credit } from "./credit.ts";
import { deposit } from "./deposit.ts";
import { exchange } from "./exchange.ts";
import { expiry } from "./expiry.ts";
import { hold } from "./hold.ts";
import type { Movement } from "./movement.ts";
import { release } from "./release.ts";
import { reversal } from "./reversal.ts";
import { statusChange } from "./statusChange.ts";
import { transfer } from "./transfer.ts";
import { withdrawal } from "./withdrawal.ts";

const MOVEMENTS: { readonly [Type in CommandType]: Movement<CommandOf<Type>> } = {
  deposit,
  withdrawal,
  transfer,
  credit,
  hold,
  capture,
  release,
  expiry,
  exchange,
  reversal,
  status_change: statusChange,
};

/** The rule of a command's type. */
export function movementOf<Type extends CommandType>(command: CommandOf<Type>): Movement<CommandOf<Type>> {
  return MOVEMENTS[command.type];
}
