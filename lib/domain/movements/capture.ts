import type { MoneyCommand } from "../command.ts";
import { type Movement, remainingOf, reversible } from "./movement.ts";

/** Takes money that a hold keeps back. */
export interface Capture extends MoneyCommand {
  readonly type: "capture";
  /** Id of the hold. */
  readonly refersTo: string;
  /** True if the rest of the hold becomes available again. */
  readonly final: boolean;
  /** The user to whom the hold is promised. */
  readonly to?: string | undefined;
}

export const capture: Movement<Capture> = {
  changes: ({ currency, exponent, amountMinor, final }, hold) => {
    const remainingMinor = remainingOf(hold);
    const takenMinor = amountMinor ?? remainingMinor;
    return [{ currency, exponent, amountMinor: -takenMinor, heldMinor: -(final ? remainingMinor : takenMinor) }];
  },
  refuses: ({ createdAt, amountMinor }, hold) => {
    if (hold?.type !== "hold" || hold.remainder?.holdStatus !== "open") return "hold_closed";
    if (createdAt >= hold.expiresAt) return "hold_expired";
    if (amountMinor !== undefined && amountMinor > hold.remainder.remainingMinor) return "capture_exceeds_hold";
    return undefined;
  },
  takesMoney: () => true,
  remainder: ({ to }, [change]) => (to === undefined && change ? reversible(-change.amountMinor) : undefined),
  remainderAfter: (_, before, [change]) => {
    const remainingMinor = before.remainingMinor + (change?.heldMinor ?? 0n);
    return { remainingMinor, holdStatus: remainingMinor === 0n ? "captured" : "open" };
  },
  emits: ({ userId, id, refersTo, to }, isPosted) =>
    isPosted && to !== undefined
      ? { userId: to, source: { type: "capture", userId, transactionId: id, refersTo } }
      : undefined,
  ownFields: ({ refersTo, final, to }) => ({ refersTo, final, ...(to !== undefined && { to }) }),
  rejections: ["wallet_closed", "wallet_frozen", "hold_closed", "hold_expired", "capture_exceeds_hold"],
};
