import type { AmountCommand } from "../command.ts";
import { balanceChange, type Movement, reversible } from "./movement.ts";

export interface Withdrawal extends AmountCommand {
  readonly type: "withdrawal";
}

export const withdrawal: Movement<Withdrawal> = {
  changes: ({ currency, exponent, amountMinor }) => [balanceChange(currency, exponent, -amountMinor)],
  takesMoney: () => true,
  remainder: ({ amountMinor }) => reversible(amountMinor),
  ownFields: () => ({}),
  rejections: ["wallet_closed", "wallet_frozen", "insufficient_funds"],
};
