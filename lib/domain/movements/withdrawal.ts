import type { CommandBase } from "../command.ts";
import type { Movement } from "./movement.ts";

export interface Withdrawal extends CommandBase {
  readonly type: "withdrawal";
}

export const withdrawal: Movement<Withdrawal> = {
  changes: ({ currency, exponent, amountMinor }) => [{ currency, exponent, amountMinor: -amountMinor, heldMinor: 0n }],
  rejections: ["insufficient_funds"],
};
