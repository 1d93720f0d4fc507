import type { AmountCommand } from "../command.ts";
import { balanceChange, type Movement } from "./movement.ts";

/** Debits the wallet and emits a credit for another one. It is reversed at that credit. */
export interface Transfer extends AmountCommand {
  readonly type: "transfer";
  /** The user who gets the money. */
  readonly to: string;
}

export const transfer: Movement<Transfer> = {
  changes: ({ currency, exponent, amountMinor }) => [balanceChange(currency, exponent, -amountMinor)],
  takesMoney: () => true,
  emits: ({ userId, id, to }, isPosted) =>
    isPosted ? { userId: to, source: { type: "transfer", userId, transactionId: id } } : undefined,
  ownFields: ({ to }) => ({ to }),
  rejections: ["wallet_closed", "wallet_frozen", "insufficient_funds"],
};
