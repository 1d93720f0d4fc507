import type { CommandBase } from "../command.ts";
import { currenciesOf, type WalletStatus } from "../state.ts";
import type { Movement } from "./movement.ts";

/** Freezes, closes or reopens a wallet. */
export interface StatusChange extends CommandBase {
  readonly type: "status_change";
  readonly currency?: undefined;
  readonly exponent?: undefined;
  readonly amountMinor?: undefined;
  readonly newStatus: WalletStatus;
}

export const statusChange: Movement<StatusChange> = {
  changes: () => [],
  refuses: ({ newStatus }, _, { wallet }) =>
    newStatus === "closed" && currenciesOf(wallet).length > 0 ? "wallet_not_empty" : undefined,
  takesMoney: () => false,
  isForClosedWallet: () => true,
  statusAfter: ({ newStatus }) => newStatus,
  ownFields: ({ newStatus }) => ({ newStatus }),
  rejections: ["wallet_not_empty"],
};
