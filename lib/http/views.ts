import { formatAmount } from "../domain/money.ts";
import type { RejectionCode } from "../domain/rejection.ts";
import { statusOf, type Transaction } from "../domain/transaction.ts";
import type { TransactionView } from "./schemas.ts";

const REJECTION_DETAILS: Record<RejectionCode, string> = {
  insufficient_funds: "The balance does not cover the withdrawal.",
  balance_limit: "The balance would exceed 38 digits in minor units.",
};

export function transactionView(transaction: Transaction): TransactionView {
  const { id, userId, type, currency, exponent, amountMinor, createdAt, reference, metadata, decision } = transaction;
  const outcome = decision?.outcome;
  return {
    id,
    userId,
    type,
    currency,
    amount: formatAmount(amountMinor, exponent),
    status: statusOf(transaction),
    sequence: decision?.sequence ?? null,
    balanceAfter: decision ? formatAmount(decision.balanceAfterMinor, exponent) : null,
    createdAt,
    postedAt: outcome?.status === "posted" ? outcome.postedAt : null,
    reference: reference ?? null,
    metadata: { ...metadata },
    rejection: outcome?.status === "rejected" ? { code: outcome.code, detail: REJECTION_DETAILS[outcome.code] } : null,
  };
}
