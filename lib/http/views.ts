import { formatAmount } from "../domain/money.ts";
import { statusOf, type Transaction } from "../domain/transaction.ts";
import { PROBLEMS } from "./problem.ts";
import type { TransactionView } from "./schemas.ts";

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
    rejection: outcome?.status === "rejected" ? { code: outcome.code, detail: PROBLEMS[outcome.code].title } : null,
  };
}
