import type { MoneyCommand } from "../command.ts";
import type { Movement } from "./movement.ts";
import { freed, refusesClosed } from "./release.ts";

/** The ledger's release of a hold whose time is over. */
export interface Expiry extends MoneyCommand {
  readonly type: "expiry";
  readonly amountMinor?: undefined;
  /** Id of the hold. */
  readonly refersTo: string;
}

export const expiry: Movement<Expiry> = {
  changes: freed,
  refuses: (_, hold) => refusesClosed(hold),
  takesMoney: () => false,
  remainderAfter: () => ({ remainingMinor: 0n, holdStatus: "expired" }),
  ownFields: ({ refersTo }) => ({ refersTo }),
  rejections: ["wallet_closed", "hold_closed"],
};
