import type { Command } from "./command.ts";
import { NO_DETAILS_HASH } from "./hash.ts";
import { derivedId } from "./id.ts";
import type { Credit } from "./movements/credit.ts";
import { movementOf } from "./movements/index.ts";
import { type Decision, isDecided, type Transaction } from "./transaction.ts";

/**
 * The credit that a decision causes in another wallet: of a transfer, a capture or a refund, or the return of a credit that
 * was rejected.
 */
export function emittedBy(
  command: Command,
  { outcome, postings, decidedAt }: Pick<Decision, "outcome" | "postings" | "decidedAt">,
): Credit | undefined {
  const emitted = movementOf(command).emits?.(command, outcome.status === "posted");
  const { currency, exponent } = command;
  const amountMinor = postings[0] ? -postings[0].amountMinor : command.amountMinor;
  if (!emitted || currency === undefined || exponent === undefined || amountMinor === undefined) return undefined;
  const { userId, source } = emitted;
  const isReturn = source.type === "return";
  return {
    type: "credit",
    id: derivedId(isReturn ? "return" : "credit", source.userId, source.transactionId),
    userId,
    actor: "ledger",
    createdAt: decidedAt,
    currency,
    exponent,
    amountMinor,
    detailsHash: NO_DETAILS_HASH,
    source,
    refersTo: isReturn && command.type === "credit" ? refundedBy(command) : undefined,
  };
}

/** True if a decision of the command can cause a credit in another wallet. */
export function canEmit(command: Command): boolean {
  const { emits } = movementOf(command);
  return [true, false].some((isPosted) => emits?.(command, isPosted) !== undefined);
}

/** The credit that a transaction has caused in another wallet, if it is decided and causes one. */
export function emittedOf(transaction: Transaction): Credit | undefined {
  return isDecided(transaction) ? emittedBy(transaction, transaction.decision) : undefined;
}

/** The credit that a refund took money from: if the refund's credit is returned, its remaining amount is restored. */
function refundedBy({ source }: Credit): string | undefined {
  return source.type === "reversal" ? source.refersTo : undefined;
}
