import type { MoneyCommand } from "../domain/command.ts";
import { emittedOf } from "../domain/emitted.ts";
import { formatAmount } from "../domain/money.ts";
import { type Posting, type Remainder, statusOf, type Transaction } from "../domain/transaction.ts";
import type { LedgerStore } from "../ledger/ports.ts";
import { readTransferStatuses, type TransferStatus } from "../ledger/transferStatus.ts";
import { PROBLEMS } from "./problem.ts";
import type { PromisedView, TransactionView } from "./schemas.ts";

type ViewOf<Type extends TransactionView["type"]> = Extract<TransactionView, { type: Type }>;

/** Transactions as their owner sees them, with one read for all of their transfers. */
export async function transactionViews(
  transactions: readonly Transaction[],
  store: Pick<LedgerStore, "findTransactions">,
): Promise<TransactionView[]> {
  const statuses = await readTransferStatuses(transactions, store);
  return transactions.map((transaction) => transactionView(transaction, statuses.get(transaction.id)));
}

/** @param transferStatus where the money is that a posted transaction sent to another wallet */
export function transactionView(transaction: Transaction, transferStatus: TransferStatus | undefined): TransactionView {
  const { id, userId, actor, createdAt, reference, metadata, detailsHash, decision } = transaction;
  const base = {
    id,
    userId,
    type: transaction.type,
    status: statusOf(transaction),
    sequence: decision?.sequence ?? null,
    actor,
    createdAt,
    decidedAt: decision?.decidedAt ?? null,
    postings: decision?.postings.map(postingView) ?? [],
    rejection: rejectionView(transaction),
    reference: reference ?? null,
    metadata: { ...metadata },
    detailsHash,
    previousHash: decision?.previousHash ?? null,
    hash: decision?.hash ?? null,
  };
  switch (transaction.type) {
    case "deposit":
    case "withdrawal":
      return { ...base, type: transaction.type, ...moneyView(transaction), reversed: reversedView(transaction) };
    case "transfer": {
      const { type, to } = transaction;
      return { ...base, type, ...moneyView(transaction), transfer: transferView(transaction, to, transferStatus) };
    }
    case "credit": {
      const { type, source, refersTo = null } = transaction;
      const sourceView = { ...source, refersTo: source.refersTo ?? null };
      const reversed = reversedView(transaction);
      return { ...base, type, ...moneyView(transaction), source: sourceView, refersTo, reversed };
    }
    case "hold": {
      const { type, to = null } = transaction;
      return { ...base, type, ...moneyView(transaction), hold: { to, ...holdView(transaction) } };
    }
    case "capture": {
      const { type, currency, refersTo, final, to } = transaction;
      const transfer = to === undefined ? null : transferView(transaction, to, transferStatus);
      const [amount, reversed] = [amountView(transaction), reversedView(transaction)];
      const requestedAmount = requestedAmountView(transaction);
      return { ...base, type, currency, amount, requestedAmount, refersTo, final, transfer, reversed };
    }
    case "release":
    case "expiry": {
      const { type, currency, refersTo } = transaction;
      return { ...base, type, currency, amount: amountView(transaction), refersTo };
    }
    case "exchange": {
      const { type, bought } = transaction;
      return { ...base, type, ...moneyView(transaction), buy: moneyView(bought), reversed: reversedView(transaction) };
    }
    case "reversal": {
      const { type, currency, refersTo, to } = transaction;
      const transfer = to === undefined ? null : transferView(transaction, to, transferStatus);
      const [amount, requestedAmount] = [amountView(transaction), requestedAmountView(transaction)];
      return { ...base, type, currency, amount, requestedAmount, refersTo, transfer };
    }
    case "status_change":
      return { ...base, type: transaction.type, currency: null, amount: null, newStatus: transaction.newStatus };
  }
}

/**
 * A promised hold, or a capture or a release of one, as the other user sees it.
 *
 * @throws Error for a transaction of another type
 */
export function promisedView(transaction: Transaction, transferStatus: TransferStatus | undefined): PromisedView {
  const { id, type, createdAt, decision } = transaction;
  if (type !== "hold" && type !== "capture" && type !== "release") throw new Error(`No user is promised a ${type}`);
  return {
    id,
    type,
    status: statusOf(transaction),
    createdAt,
    decidedAt: decision?.decidedAt ?? null,
    currency: transaction.currency,
    amount: amountView(transaction),
    rejection: rejectionView(transaction),
    transfer:
      transaction.type === "capture" && transaction.to !== undefined
        ? transferView(transaction, transaction.to, transferStatus)
        : null,
    hold: transaction.type === "hold" ? holdView(transaction) : null,
  };
}

interface Money {
  readonly currency: string;
  readonly exponent: number;
  readonly amountMinor: bigint;
}

function moneyView({ currency, exponent, amountMinor }: Money) {
  return { currency, amount: formatAmount(amountMinor, exponent) };
}

/** The requested amount; without one, what the decision took or freed. */
function amountView({ exponent, amountMinor, decision }: Transaction): string | null {
  const [posting] = decision?.postings ?? [];
  const movedMinor = posting && (posting.amountMinor || posting.heldMinor);
  const minor = amountMinor ?? movedMinor;
  return minor === undefined || exponent === undefined ? null : formatAmount(minor < 0n ? -minor : minor, exponent);
}

function requestedAmountView({ exponent, amountMinor }: MoneyCommand): string | null {
  return amountMinor === undefined ? null : formatAmount(amountMinor, exponent);
}

function reversedView({ exponent, amountMinor, decision, remainder }: Transaction): string | null {
  const originalMinor = amountMinor ?? -(decision?.postings[0]?.amountMinor ?? 0n);
  return remainder && exponent !== undefined ? formatAmount(originalMinor - remainder.remainingMinor, exponent) : null;
}

function holdView({ expiresAt, exponent, remainder }: Transaction & { readonly type: "hold" }) {
  return { expiresAt, remaining: remainingView(remainder, exponent), status: remainder?.holdStatus ?? null };
}

function remainingView(remainder: Remainder | undefined, exponent: number): string | null {
  return remainder ? formatAmount(remainder.remainingMinor, exponent) : null;
}

function transferView(
  transaction: Transaction,
  to: string,
  status: TransferStatus | undefined,
): ViewOf<"transfer">["transfer"] {
  return { to, creditId: emittedOf(transaction)?.id ?? null, status: status ?? null };
}

function rejectionView({ decision }: Transaction): TransactionView["rejection"] {
  const outcome = decision?.outcome;
  return outcome?.status === "rejected" ? { code: outcome.code, detail: PROBLEMS[outcome.code].title } : null;
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
