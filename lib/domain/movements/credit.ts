import type { AmountCommand } from "../command.ts";
import { balanceChange, type Movement, reversible } from "./movement.ts";

export const SOURCE_TYPES = ["transfer", "capture", "reversal", "return"] as const;

/** The decision of another wallet that emitted a credit. */
export interface Source {
  /** `return`: the other wallet rejected a credit, and its money goes back. */
  readonly type: (typeof SOURCE_TYPES)[number];
  readonly userId: string;
  readonly transactionId: string;
  /** What that transaction refers to in its own wallet: the captured hold, or the refunded credit. */
  readonly refersTo?: string | undefined;
}

/** Money from another wallet. */
export interface Credit extends AmountCommand {
  readonly type: "credit";
  readonly source: Source;
  /** The credit of this wallet whose refund is returned: its remaining amount is restored. */
  readonly refersTo?: string | undefined;
}

export const credit: Movement<Credit> = {
  changes: ({ currency, exponent, amountMinor }) => [balanceChange(currency, exponent, amountMinor)],
  takesMoney: () => false,
  isForClosedWallet: isReturn,
  remainder: ({ source, amountMinor }) =>
    source.type === "transfer" || source.type === "capture" ? reversible(amountMinor) : undefined,
  remainderAfter: ({ amountMinor }, { remainingMinor }) => reversible(remainingMinor + amountMinor),
  emits: ({ userId, id, source }, isPosted) =>
    isPosted ? undefined : { userId: source.userId, source: { type: "return", userId, transactionId: id } },
  ownFields: ({ source: { type, userId, transactionId, refersTo: original }, refersTo }) => ({
    source: { type, userId, transactionId, ...(original !== undefined && { refersTo: original }) },
    ...(refersTo !== undefined && { refersTo }),
  }),
  rejections: ["wallet_closed", "currency_limit", "balance_limit"],
};

/** A return is never rejected: its money has no other place. */
export function isReturn({ source }: Credit): boolean {
  return source.type === "return";
}
