import type { CommandBase } from "../command.ts";
import type { Movement } from "./movement.ts";

export interface Deposit extends CommandBase {
  readonly type: "deposit";
}

export const deposit: Movement<Deposit> = {
  changes: ({ currency, exponent, amountMinor }) => [{ currency, exponent, amountMinor, heldMinor: 0n }],
  rejections: ["currency_limit", "balance_limit"],
};
