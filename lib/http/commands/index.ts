import type { MovementSpecification } from "../movement.ts";
import { deposit } from "./deposit.ts";
import { withdrawal } from "./withdrawal.ts";

/** The movements that a client can ask for. */
export const MOVEMENTS: readonly MovementSpecification[] = [deposit, withdrawal];
