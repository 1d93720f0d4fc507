import { randomBytes } from "node:crypto";
import type { Actor, Command } from "../domain/command.ts";
import { contentHashOf, detailsHashOf, NO_DETAILS_HASH } from "../domain/hash.ts";
import { type AmountProblem, parseAmount } from "../domain/money.ts";
import type { Transaction } from "../domain/transaction.ts";
import { isReplayOf, transactionId } from "./idempotency.ts";
import { messageOf } from "./message.ts";
import { type Clock, type CommandQueue, type CurrencyList, type LedgerStore, TransientError } from "./ports.ts";

const SALT_BYTES = 16;

/** What a client requests. */
export interface Submission {
  readonly userId: string;
  readonly actor: Actor;
  readonly idempotencyKey: string;
  readonly type: Command["type"];
  readonly currency: string;
  /** Decimal string in units of the currency. */
  readonly amount: string;
  readonly reference: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly requestId: string;
}

/** Why a submission is not accepted, in order of precedence. Nothing is stored. */
export type SubmissionProblem = "unknown_currency" | AmountProblem | "idempotency_key_reused";

export type Submitted =
  | { readonly accepted: true; readonly transaction: Transaction; readonly replayed: boolean }
  | { readonly accepted: false; readonly problem: SubmissionProblem };

export interface SubmitPorts {
  readonly store: LedgerStore;
  readonly queue: CommandQueue;
  readonly currencies: CurrencyList;
  readonly clock: Clock;
}

/**
 * Accepts a command: stores it as pending, then sends it. If the send fails, the same submission repeated sends it again,
 * because the transaction is still pending. The consumer decides it only once.
 *
 * @throws TransientError when the command may not have reached the queue
 */
export async function submit(submission: Submission, ports: SubmitPorts): Promise<Submitted> {
  const { userId, actor, type, currency: code, reference, metadata, requestId } = submission;
  const currency = (await ports.currencies.list()).find((candidate) => candidate.code === code);
  if (!currency) return { accepted: false, problem: "unknown_currency" };
  const amount = parseAmount(submission.amount, currency.exponent);
  if (!amount.ok) return { accepted: false, problem: currency.enabled ? amount.problem : "unknown_currency" };

  const hasDetails = reference !== undefined || metadata !== undefined;
  const salt = hasDetails ? randomBytes(SALT_BYTES).toString("base64url") : undefined;
  const details = { salt, reference, metadata };
  const command: Command = {
    id: transactionId(userId, submission.idempotencyKey),
    userId,
    type,
    actor,
    createdAt: ports.clock.now().toISOString(),
    currency: code,
    exponent: currency.exponent,
    amountMinor: amount.amountMinor,
    detailsHash: hasDetails ? detailsHashOf(details) : NO_DETAILS_HASH,
  };
  const candidate: Transaction = {
    ...command,
    ...details,
    contentHash: contentHashOf(command),
    decision: undefined,
  };
  // A disabled currency takes no new command; a command that it took before is still answered.
  const existing = currency.enabled
    ? await ports.store.putPending(candidate)
    : await ports.store.findTransaction(userId, candidate.id);
  if (!existing && !currency.enabled) return { accepted: false, problem: "unknown_currency" };

  const transaction = existing ?? candidate;
  if (!isReplayOf(transaction, candidate)) return { accepted: false, problem: "idempotency_key_reused" };
  if (!transaction.decision) await ports.queue.send(messageOf(transaction, requestId));
  return { accepted: true, transaction, replayed: existing !== undefined };
}

const POLL_FIRST_MS = 15;
const POLL_GROWTH = 1.5;
const POLL_MAX_MS = 250;

/**
 * Waits up to `waitMs` for the decision, and returns the transaction as last read. A failed read does not fail the wait,
 * because the command is accepted in any case.
 */
export async function awaitOutcome(
  transaction: Transaction,
  waitMs: number,
  { store, clock }: Pick<SubmitPorts, "store" | "clock">,
): Promise<Transaction> {
  const deadlineMs = clock.now().getTime() + waitMs;
  let current = transaction;
  for (let pauseMs = POLL_FIRST_MS; !current.decision; pauseMs = Math.min(pauseMs * POLL_GROWTH, POLL_MAX_MS)) {
    const leftMs = deadlineMs - clock.now().getTime();
    if (leftMs <= 0) break;
    await clock.sleep(Math.min(pauseMs, leftMs));
    current = (await store.findTransaction(current.userId, current.id).catch(ignoreTransientError)) ?? current;
  }
  return current;
}

function ignoreTransientError(error: unknown): undefined {
  if (!(error instanceof TransientError)) throw error;
}
