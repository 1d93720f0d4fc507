import type { AmountCommand } from "../command.ts";
import { balanceChange, type Movement, reversible } from "./movement.ts";

export interface Deposit extends AmountCommand {
  readonly type: "deposit";
}

export const deposit: Movement<Deposit> = {
  changes: ({ currency, exponent, amountMinor }) => [balanceChange(currency, exponent, amountMinor)],
  takesMoney: () => false,
  remainder: ({ amountMinor }) => reversible(amountMinor),
  ownFields: () => ({}),
  rejections: ["wallet_closed", "currency_limit", "balance_limit"],
};
