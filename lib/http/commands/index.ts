import type { MovementSpecification } from "../movement.ts";
import { capture } from "./capture.ts";
import { deposit } from "./deposit.ts";
import { exchange } from "./exchange.ts";
import { hold } from "./hold.ts";
import { release } from "./release.ts";
import { reversal } from "./reversal.ts";
import { statusChange } from "./statusChange.ts";
import { transfer } from "./transfer.ts";
import { withdrawal } from "./withdrawal.ts";

/** The movements that a client can ask for. */
export const MOVEMENTS: readonly MovementSpecification[] = [
  deposit,
  withdrawal,
  transfer,
  hold,
  capture,
  release,
  exchange,
  reversal,
  statusChange,
];
