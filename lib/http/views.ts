import { formatAmount } from "../domain/money.ts";
import { type Posting, statusOf, type Transaction } from "../domain/transaction.ts";
import { PROBLEMS } from "./problem.ts";
import type { TransactionView } from "./schemas.ts";

export function transactionView(transaction: Transaction): TransactionView {
  const { id, userId, type, actor, createdAt, currency, exponent, amountMinor } = transaction;
  const { reference, metadata, detailsHash, decision } = transaction;
  const outcome = decision?.outcome;
  return {
    id,
    userId,
    type,
    status: statusOf(transaction),
    sequence: decision?.sequence ?? null,
    actor,
    createdAt,
    decidedAt: decision?.decidedAt ?? null,
    currency,
    amount: formatAmount(amountMinor, exponent),
    postings: decision?.postings.map(postingView) ?? [],
    rejection: outcome?.status === "rejected" ? { code: outcome.code, detail: PROBLEMS[outcome.code].title } : null,
    reference: reference ?? null,
    metadata: { ...metadata },
    detailsHash,
    previousHash: decision?.previousHash ?? null,
    hash: decision?.hash ?? null,
  };
}

function postingView(posting: Posting): TransactionView["postings"][number] {
  const { currency, exponent, amountMinor, heldMinor, balanceAfterMinor, heldAfterMinor } = posting;
  return {
    currency,
    amount: formatAmount(amountMinor, exponent),
    held: formatAmount(heldMinor, exponent),
    balanceAfter: formatAmount(balanceAfterMinor, exponent),
    heldAfter: formatAmount(heldAfterMinor, exponent),
  };
}
