import { randomBytes } from "node:crypto";
import type { Actor, Command, CommandBase, CommandOf } from "../domain/command.ts";
import type { Currency } from "../domain/currency.ts";
import { detailsHashOf, NO_DETAILS_HASH } from "../domain/hash.ts";
import { type AmountProblem, parseAmount } from "../domain/money.ts";
import { refundedUser } from "../domain/movements/reversal.ts";
import type { WalletStatus } from "../domain/state.ts";
import { commandOf, pendingTransaction, type Transaction } from "../domain/transaction.ts";
import { isReplayOf, transactionId } from "./idempotency.ts";
import { type Clock, type CommandQueue, type CurrencyList, type LedgerStore, TransientError } from "./ports.ts";
import { readTransferStatuses, sendsMoney, type TransferStatus } from "./transferStatus.ts";

const SALT_BYTES = 16;
const DAY_MS = 24 * 3_600_000;
const HOLD_DEFAULT_MS = 7 * DAY_MS;
const HOLD_MAX_MS = 365 * DAY_MS;

/** An amount as a client writes it. */
interface RequestedAmount {
  readonly currency: string;
  /** Decimal string in units of the currency. */
  readonly amount: string;
}

export const REQUEST_TYPES = [
  "deposit",
  "withdrawal",
  "transfer",
  "hold",
  "capture",
  "release",
  "exchange",
  "reversal",
  "status_change",
] as const satisfies readonly Request["type"][];

/** What a client requests, by type. */
export type Request =
  | (RequestedAmount & { readonly type: "deposit" | "withdrawal" })
  | (RequestedAmount & { readonly type: "transfer"; readonly to: string })
  | (RequestedAmount & {
      readonly type: "hold";
      readonly to?: string | undefined;
      /** ISO 8601 with milliseconds, UTC; by default 7 days after the acceptance. */
      readonly expiresAt?: string | undefined;
    })
  | {
      readonly type: "capture";
      readonly referred: CommandOf<"hold">;
      readonly amount?: string | undefined;
      readonly final: boolean;
    }
  | { readonly type: "release"; readonly referred: CommandOf<"hold"> }
  | { readonly type: "exchange"; readonly sell: RequestedAmount; readonly buy: RequestedAmount }
  | { readonly type: "reversal"; readonly referred: Transaction; readonly amount?: string | undefined }
  | { readonly type: "status_change"; readonly newStatus: WalletStatus };

export interface Submission {
  readonly userId: string;
  readonly actor: Actor;
  /** The caller, if it is the other user of a promised hold. */
  readonly counterpartyId?: string | undefined;
  readonly idempotencyKey: string;
  readonly request: Request;
  readonly reference: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly requestId: string;
}

/** Why a submission is not accepted. Nothing is stored. */
export type SubmissionProblem =
  | "unknown_currency"
  | AmountProblem
  | "same_currency"
  | "same_wallet"
  | "unknown_receiver"
  | "expires_at_invalid"
  | "amount_not_allowed"
  | "not_reversible"
  | "idempotency_key_reused";

/** The member of a request that a problem is about. */
export type RequestMember = "currency" | "amount" | "to" | "expiresAt" | "sell" | "buy";

export interface Refusal {
  readonly problem: SubmissionProblem;
  /** Path to the member, from the outside. */
  readonly at: readonly RequestMember[];
}

export type Submitted =
  | { readonly accepted: true; readonly transaction: Transaction; readonly replayed: boolean }
  | ({ readonly accepted: false } & Refusal);

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
  const { candidate, refusal, existing } = await prepare(submission, ports.clock.now().toISOString(), ports);
  if (!candidate) return { accepted: false, ...refusal };
  const submitted = answer(submission, candidate, existing ?? (await ports.store.putPending(candidate)));
  if (submitted.accepted && !submitted.transaction.decision) {
    await ports.queue.send({ commands: [commandOf(submitted.transaction)], requestId: submission.requestId });
  }
  return submitted;
}

/** A submission that is checked, and not stored. */
export type Prepared =
  | { readonly candidate?: undefined; readonly refusal: Refusal; readonly existing?: undefined }
  | {
      /** What is to be stored. */
      readonly candidate: Transaction;
      readonly refusal?: undefined;
      /** The transaction that is stored under the key, of a submission that is not accepted as a new command. */
      readonly existing?: Transaction | undefined;
    };

/**
 * Checks a submission, and stores nothing.
 *
 * @param createdAt time of the acceptance, ISO 8601, UTC
 * @throws TransientError when what it depends on can't be read
 */
export async function prepare(submission: Submission, createdAt: string, ports: SubmitPorts): Promise<Prepared> {
  const { userId, request, reference, metadata } = submission;
  const { content, refusal } = await check(userId, request, createdAt, ports);
  if (!content) return { refusal };

  const hasDetails = reference !== undefined || metadata !== undefined;
  const salt = hasDetails ? randomBytes(SALT_BYTES).toString("base64url") : undefined;
  const details = { salt, reference, metadata };
  const base: Omit<CommandBase, MoneyMember> = {
    id: submissionId(submission),
    userId,
    actor: submission.actor,
    createdAt,
    detailsHash: hasDetails ? detailsHashOf(details) : NO_DETAILS_HASH,
  };
  const candidate = pendingTransaction({ ...base, ...content }, details);
  if (!refusal) return { candidate };
  // What is not accepted now may have been accepted before, and then it is still answered.
  const existing = await ports.store.findTransaction(userId, candidate.id);
  return existing ? { candidate, existing } : { refusal };
}

/**
 * The answer to a submission whose transaction is stored.
 *
 * @param existing the transaction that had the key before
 */
export function answer(submission: Submission, candidate: Transaction, existing: Transaction | undefined): Submitted {
  const transaction = existing ?? candidate;
  if (!isReplayOf(transaction, withDefaultsOf(transaction, candidate, submission.request))) {
    return { accepted: false, problem: "idempotency_key_reused", at: [] };
  }
  return { accepted: true, transaction, replayed: existing !== undefined };
}

/** Id of the transaction that a submission becomes. */
export function submissionId({ userId, idempotencyKey, counterpartyId }: Submission): string {
  return transactionId(userId, idempotencyKey, counterpartyId);
}

/** A repeated request without `expiresAt` means the one that the first request got by default. */
function withDefaultsOf(stored: Transaction, candidate: Transaction, request: Request): Transaction {
  const isDefault = request.type === "hold" && request.expiresAt === undefined;
  return isDefault && candidate.type === "hold"
    ? { ...candidate, expiresAt: defaultExpiry(stored.createdAt) }
    : candidate;
}

function defaultExpiry(createdAt: string): string {
  return new Date(Date.parse(createdAt) + HOLD_DEFAULT_MS).toISOString();
}

type MoneyMember = "currency" | "exponent" | "amountMinor";
type ContentOf<C> = C extends Command ? Omit<C, keyof CommandBase> & Pick<C, MoneyMember> : never;
/** The part of a command that the request determines. */
type Content = ContentOf<Exclude<Command, { type: "credit" | "expiry" }>>;

/** What a request asks for, and why it is not accepted as a new command. */
type Checked =
  | { readonly content: Content; readonly refusal?: Refusal | undefined }
  | { readonly content?: undefined; readonly refusal: Refusal };

async function check(userId: string, request: Request, createdAt: string, ports: SubmitPorts): Promise<Checked> {
  switch (request.type) {
    case "deposit":
    case "withdrawal": {
      const { money, refusal } = readMoney(request, await ports.currencies.list());
      return money ? { content: { type: request.type, ...money }, refusal } : { refusal };
    }
    case "transfer": {
      const { type, to } = request;
      const { money, refusal } = readMoney(request, await ports.currencies.list());
      if (!money) return { refusal };
      return { content: { type, ...money, to }, refusal: refusal ?? (await refuseReceiver(userId, to, ports.store)) };
    }
    case "hold": {
      const { type, to, expiresAt = defaultExpiry(createdAt) } = request;
      const { money, refusal } = readMoney(request, await ports.currencies.list());
      if (!money) return { refusal };
      return {
        content: { type, ...money, to, expiresAt },
        refusal: refusal ?? refuseExpiry(expiresAt, createdAt) ?? (await refuseReceiver(userId, to, ports.store)),
      };
    }
    case "capture": {
      const { type, referred, amount, final } = request;
      const { money, refusal } = readPart(amount, referred);
      if (!money) return { refusal };
      return { content: { type, ...money, refersTo: referred.id, final, to: referred.to } };
    }
    case "release": {
      const { id, currency, exponent } = request.referred;
      return { content: { type: request.type, currency, exponent, amountMinor: undefined, refersTo: id } };
    }
    case "exchange": {
      const currencies = await ports.currencies.list();
      const [sold, bought] = [readMoney(request.sell, currencies, "sell"), readMoney(request.buy, currencies, "buy")];
      if (!sold.money) return { refusal: sold.refusal };
      if (!bought.money) return { refusal: sold.refusal ?? bought.refusal };
      const refusal = sold.refusal ?? bought.refusal ?? refuseSame(request);
      return { content: { type: request.type, ...sold.money, bought: bought.money }, refusal };
    }
    case "reversal": {
      const { type, referred, amount } = request;
      const { money, refusal } = readPart(amount, referred);
      if (!money) return { refusal };
      const content = { type, ...money, refersTo: referred.id, to: refundedUser(referred) };
      return { content, refusal: refusePart(amount, referred) };
    }
    case "status_change": {
      const { type, newStatus } = request;
      return { content: { type, newStatus, currency: undefined, exponent: undefined, amountMinor: undefined } };
    }
  }
}

/** Reads an amount. A disabled currency takes no new command. */
function readMoney(
  { currency: code, amount }: RequestedAmount,
  currencies: readonly Currency[],
  ...at: RequestMember[]
) {
  const currency = currencies.find((candidate) => candidate.code === code);
  const unknown: Refusal = { problem: "unknown_currency", at: [...at, "currency"] };
  if (!currency) return { refusal: unknown };
  const { exponent, enabled } = currency;
  const parsed = parseAmount(amount, exponent);
  if (!parsed.ok) return { refusal: enabled ? refusalOf(parsed.problem, ...at, "amount") : unknown };
  const money = { currency: code, exponent, amountMinor: parsed.amountMinor };
  return { money, refusal: enabled ? undefined : unknown };
}

/** Reads an amount of what the command refers to; without one, the decision takes all that remains. */
function readPart(amount: string | undefined, { currency, exponent }: Command) {
  if (currency === undefined || exponent === undefined) return { refusal: refusalOf("not_reversible") };
  const parsed = amount === undefined ? undefined : parseAmount(amount, exponent);
  if (parsed && !parsed.ok) return { refusal: refusalOf(parsed.problem, "amount") };
  return { money: { currency, exponent, amountMinor: parsed?.amountMinor } };
}

/** The receiver's wallet must exist; that it is open is checked again by its own decision. */
async function refuseReceiver(
  userId: string,
  to: string | undefined,
  store: Pick<LedgerStore, "readWallet">,
): Promise<Refusal | undefined> {
  if (to === undefined) return undefined;
  if (to === userId) return refusalOf("same_wallet", "to");
  const wallet = await store.readWallet(to);
  return wallet && wallet.status !== "closed" ? undefined : refusalOf("unknown_receiver", "to");
}

function refuseExpiry(expiresAt: string, createdAt: string): Refusal | undefined {
  const last = new Date(Date.parse(createdAt) + HOLD_MAX_MS).toISOString();
  return expiresAt > createdAt && expiresAt <= last ? undefined : refusalOf("expires_at_invalid", "expiresAt");
}

function refuseSame({ sell, buy }: { readonly sell: RequestedAmount; readonly buy: RequestedAmount }) {
  return sell.currency === buy.currency ? refusalOf("same_currency", "buy", "currency") : undefined;
}

/** An exchange is reversed as a whole. */
function refusePart(amount: string | undefined, { type }: Command): Refusal | undefined {
  return type === "exchange" && amount !== undefined ? refusalOf("amount_not_allowed", "amount") : undefined;
}

function refusalOf(problem: SubmissionProblem, ...at: RequestMember[]): Refusal {
  return { problem, at };
}

const POLL_FIRST_MS = 15;
const POLL_GROWTH = 1.5;
const POLL_MAX_MS = 250;

export interface AwaitedOutcome {
  /** As last read. */
  readonly transaction: Transaction;
  /** Where the money is that a posted transaction sent to another wallet. */
  readonly transferStatus: TransferStatus | undefined;
  /** False if the time was over first. */
  readonly isFinal: boolean;
}

/**
 * Waits up to `waitMs` for the decision, and if it sent money to another wallet, until that is credited or returned. A
 * failed read does not fail the wait, because the command is accepted in any case.
 */
export async function awaitOutcome(
  transaction: Transaction,
  waitMs: number,
  { store, clock }: Pick<SubmitPorts, "store" | "clock">,
): Promise<AwaitedOutcome> {
  const deadlineMs = clock.now().getTime() + waitMs;
  let current = transaction;
  for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(pauseMs * POLL_GROWTH, POLL_MAX_MS)) {
    const statuses = await readTransferStatuses([current], store).catch(ignoreTransientError);
    const transferStatus = statuses?.get(current.id);
    const hasArrived = sendsMoney(current) ? transferStatus !== undefined && transferStatus !== "in_transit" : true;
    const isFinal = current.decision !== undefined && hasArrived;
    const leftMs = deadlineMs - clock.now().getTime();
    if (isFinal || leftMs <= 0) return { transaction: current, transferStatus, isFinal };
    await clock.sleep(Math.min(pauseMs, leftMs));
    if (current.decision) continue;
    current = (await store.findTransaction(current.userId, current.id).catch(ignoreTransientError)) ?? current;
  }
}

export function ignoreTransientError(error: unknown): undefined {
  if (!(error instanceof TransientError)) throw error;
}
