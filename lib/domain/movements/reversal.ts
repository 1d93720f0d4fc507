import type { MoneyCommand } from "../command.ts";
import type { Transaction } from "../transaction.ts";
import { type Movement, remainingOf, reversible } from "./movement.ts";

/** The opposite of an earlier transaction, of all or a part of it. Of a credit it is a refund: the sender gets the money. */
export interface Reversal extends MoneyCommand {
  readonly type: "reversal";
  /** Id of the original. */
  readonly refersTo: string;
  /** The sender of the refunded credit. */
  readonly to?: string | undefined;
}

export const reversal: Movement<Reversal> = {
  changes: ({ amountMinor }, original) => {
    const { postings = [] } = original?.decision ?? {};
    const reversedMinor = amountMinor ?? remainingOf(original);
    return postings.map(({ currency, exponent, amountMinor: minor }) => ({
      currency,
      exponent,
      amountMinor: original?.type === "exchange" ? -minor : minor > 0n ? -reversedMinor : reversedMinor,
      heldMinor: 0n,
    }));
  },
  refuses: ({ amountMinor }, original) => {
    if (!original?.remainder || original.type === "hold") return "not_reversible";
    const { remainingMinor } = original.remainder;
    if (remainingMinor === 0n || (amountMinor ?? 0n) > remainingMinor) return "reversal_exceeds_original";
    return undefined;
  },
  takesMoney: (_, original) => original?.type !== "withdrawal" && original?.type !== "capture",
  remainderAfter: ({ amountMinor }, { remainingMinor }) => reversible(remainingMinor - (amountMinor ?? remainingMinor)),
  emits: ({ userId, id, refersTo, to }, isPosted) =>
    isPosted && to !== undefined
      ? { userId: to, source: { type: "reversal", userId, transactionId: id, refersTo } }
      : undefined,
  ownFields: ({ refersTo, to }) => ({ refersTo, ...(to !== undefined && { to }) }),
  rejections: [
    "wallet_closed",
    "wallet_frozen",
    "not_reversible",
    "reversal_exceeds_original",
    "insufficient_funds",
    "currency_limit",
    "balance_limit",
  ],
};

/** The user who gets the money of a refund: the sender of a credit that can be reversed. */
export function refundedUser(original: Transaction): string | undefined {
  if (original.type !== "credit") return undefined;
  const { type, userId } = original.source;
  return type === "transfer" || type === "capture" ? userId : undefined;
}
