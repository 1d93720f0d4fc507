import type { MoneyCommand } from "../command.ts";
import type { Transaction } from "../transaction.ts";
import { type Movement, remainingOf } from "./movement.ts";

/** Makes all that remains of a hold available again. */
export interface Release extends MoneyCommand {
  readonly type: "release";
  readonly amountMinor?: undefined;
  /** Id of the hold. */
  readonly refersTo: string;
}

export const release: Movement<Release> = {
  changes: freed,
  refuses: (_, hold) => refusesClosed(hold),
  takesMoney: () => false,
  remainderAfter: () => ({ remainingMinor: 0n, holdStatus: "released" }),
  ownFields: ({ refersTo }) => ({ refersTo }),
  rejections: ["wallet_closed", "hold_closed"],
};

export function freed({ currency, exponent }: MoneyCommand, hold: Transaction | undefined) {
  return [{ currency, exponent, amountMinor: 0n, heldMinor: -remainingOf(hold) }];
}

export function refusesClosed(hold: Transaction | undefined): "hold_closed" | undefined {
  return hold?.remainder?.holdStatus === "open" ? undefined : "hold_closed";
}
