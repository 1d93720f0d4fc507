import type { AmountCommand } from "../command.ts";
import { balanceChange, type Movement, reversible } from "./movement.ts";

/** Sells an amount of one currency for an amount of another. The command's own currency and amount are those sold. */
export interface Exchange extends AmountCommand {
  readonly type: "exchange";
  readonly bought: { readonly currency: string; readonly exponent: number; readonly amountMinor: bigint };
}

export const exchange: Movement<Exchange> = {
  changes: ({ currency, exponent, amountMinor, bought }) => [
    balanceChange(currency, exponent, -amountMinor),
    balanceChange(bought.currency, bought.exponent, bought.amountMinor),
  ],
  takesMoney: () => true,
  remainder: ({ amountMinor }) => reversible(amountMinor),
  ownFields: ({ bought: { currency, exponent, amountMinor } }) => ({
    bought: { currency, exponent, amount: amountMinor.toString() },
  }),
  rejections: ["wallet_closed", "wallet_frozen", "insufficient_funds", "currency_limit", "balance_limit"],
};
