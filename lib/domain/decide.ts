import { type Command, refersToOf } from "./command.ts";
import { emittedBy } from "./emitted.ts";
import { hashOf } from "./hash.ts";
import { MINOR_UNITS_MAX } from "./money.ts";
import { isReturn } from "./movements/credit.ts";
import { movementOf } from "./movements/index.ts";
import type { RejectionCode } from "./rejection.ts";
import { availableOf, balanceOf, currenciesOf, heldOf, type State, type Wallet } from "./state.ts";
import type { Change, Decision, Posting, Remainder, Transaction } from "./transaction.ts";

/** The most currencies in which a wallet can have money. */
export const CURRENCIES_MAX = 50;

type Balances = Pick<Wallet, "available" | "held">;

/**
 * Decides one command. Every decision, rejections included, takes the next sequence number.
 *
 * @param now the consumer's clock, ISO 8601, UTC. The decision is never earlier than the command and the previous decision.
 */
export function decide(state: State, command: Command, now: string): Decision {
  const { wallet } = state;
  const referred = referredBy(state, command);
  const refusal = statusRejection(state, command) ?? movementOf(command).refuses?.(command, referred, state);
  const changes = refusal ? [] : movementOf(command).changes(command, referred);
  const changed = changes.reduce(applyChange, wallet);
  const code = refusal ?? balanceRejection(command, changes, wallet, changed);
  const { available, held } = code ? wallet : changed;
  const decision: Omit<Decision, "hash"> = {
    sequence: wallet.sequence + 1,
    decidedAt: latest(now, earliestDecision(wallet, command)),
    outcome: code ? { status: "rejected", code } : { status: "posted" },
    postings: code ? [] : postingsOf(changes, changed),
    walletStatus: (code ? undefined : movementOf(command).statusAfter?.(command)) ?? wallet.status,
    available,
    held,
    previousHash: wallet.hash,
  };
  return { ...decision, hash: hashOf(command, decision, emittedBy(command, decision)?.id) };
}

/** The state after a decision. */
export function evolve(state: State, command: Command, decision: Decision): State {
  return { wallet: walletAfter(decision), referred: referredAfter(state, command, decision) };
}

/** The wallet after a decision. */
export function walletAfter({ walletStatus, sequence, available, held, decidedAt, hash }: Decision): Wallet {
  return { status: walletStatus, sequence, available, held, decidedAt, hash };
}

function referredAfter(state: State, command: Command, decision: Decision): State["referred"] {
  const own = state.referred.get(command.id);
  const referred = referredBy(state, command);
  const isPosted = decision.outcome.status === "posted";
  const changesReferred = isPosted && referred?.remainder !== undefined;
  if (!own && !changesReferred) return state.referred;
  const after = new Map(state.referred);
  if (own) after.set(own.id, { ...own, decision, remainder: initialRemainder(command, decision) });
  if (changesReferred) after.set(referred.id, { ...referred, remainder: remainderAfter(referred, command, decision) });
  return after;
}

/** What a decided command leaves for captures or reversals. */
export function initialRemainder(
  command: Command,
  { outcome, postings }: Pick<Decision, "outcome" | "postings">,
): Remainder | undefined {
  return outcome.status === "posted" ? movementOf(command).remainder?.(command, postings) : undefined;
}

function remainderAfter({ remainder }: Transaction, command: Command, { postings }: Decision): Remainder | undefined {
  if (!remainder) return undefined;
  return movementOf(command).remainderAfter?.(command, remainder, postings) ?? remainder;
}

function referredBy({ referred }: State, command: Command): Transaction | undefined {
  return referred.get(refersToOf(command) ?? "");
}

/** The earliest time at which a command can be decided, whatever the consumer's clock says. */
export function earliestDecision({ decidedAt = "" }: Wallet, { createdAt }: Command): string {
  return latest(decidedAt, createdAt);
}

/** The result of a user's commands, for one write instead of one per command. */
export interface Fold {
  readonly state: State;
  /** In the order of the commands. */
  readonly decisions: readonly Decision[];
  /** By debited currency: the least initial available balance, in minor units, with which no step goes below zero. */
  readonly requiredAvailableMinor: ReadonlyMap<string, bigint>;
  /** By currency in which money held is freed: the least initial held balance, in minor units. */
  readonly requiredHeldMinor: ReadonlyMap<string, bigint>;
}

/** Decides commands in order, each against the state after the previous one. */
export function fold(start: State, commands: readonly Command[], now: string): Fold {
  let state = start;
  const decisions: Decision[] = [];
  const requiredAvailableMinor = new Map<string, bigint>();
  const requiredHeldMinor = new Map<string, bigint>();
  for (const command of commands) {
    const decision = decide(state, command, now);
    state = evolve(state, command, decision);
    decisions.push(decision);
    const [before, { wallet }] = [start.wallet, state];
    for (const { currency } of decision.postings) {
      raise(requiredAvailableMinor, currency, availableOf(before, currency) - availableOf(wallet, currency));
      raise(requiredHeldMinor, currency, heldOf(before, currency) - heldOf(wallet, currency));
    }
  }
  return { state, decisions, requiredAvailableMinor, requiredHeldMinor };
}

function raise(requiredMinor: Map<string, bigint>, currency: string, debitedMinor: bigint): void {
  if (debitedMinor > (requiredMinor.get(currency) ?? 0n)) requiredMinor.set(currency, debitedMinor);
}

function applyChange(balances: Balances, { currency, amountMinor, heldMinor }: Change): Balances {
  return {
    available: withEntry(balances.available, currency, amountMinor - heldMinor),
    held: withEntry(balances.held, currency, heldMinor),
  };
}

function withEntry(minor: ReadonlyMap<string, bigint>, currency: string, changeMinor: bigint) {
  if (changeMinor === 0n) return minor;
  const after = new Map(minor);
  const afterMinor = (minor.get(currency) ?? 0n) + changeMinor;
  if (afterMinor === 0n) after.delete(currency);
  else after.set(currency, afterMinor);
  return after;
}

/** Why the wallet's status rejects a command. */
function statusRejection(state: State, command: Command): RejectionCode | undefined {
  const { status } = state.wallet;
  const { isForClosedWallet, takesMoney } = movementOf(command);
  if (status === "closed" && !isForClosedWallet?.(command)) return "wallet_closed";
  const isStopped = status === "frozen" && command.actor !== "admin" && takesMoney(command, referredBy(state, command));
  return isStopped ? "wallet_frozen" : undefined;
}

/** Why the balances reject a command: the first code that applies, in the order of {@link REJECTION_CODES}. */
function balanceRejection(
  command: Command,
  changes: readonly Change[],
  before: Balances,
  after: Balances,
): RejectionCode | undefined {
  if (command.type === "credit" && isReturn(command)) return undefined;
  const currencies = changes.map(({ currency }) => currency);
  if (currencies.some((currency) => availableOf(after, currency) < 0n)) return "insufficient_funds";
  // The limits are for what adds money: a wallet that is above one can always be debited.
  const credited = changes.filter(({ amountMinor }) => amountMinor > 0n).map(({ currency }) => currency);
  const count = currenciesOf(after).length;
  if (credited.length > 0 && count > CURRENCIES_MAX && count > currenciesOf(before).length) return "currency_limit";
  if (credited.some((currency) => balanceOf(after, currency) > MINOR_UNITS_MAX)) return "balance_limit";
  return undefined;
}

/** The postings of a posted command, with the balances after it. */
export function postingsOf(changes: readonly Change[], after: Balances): Posting[] {
  return changes.map((change) => ({
    ...change,
    balanceAfterMinor: balanceOf(after, change.currency),
    heldAfterMinor: heldOf(after, change.currency),
  }));
}

/** The later of two times in ISO 8601, UTC, of the same precision. */
function latest(a: string, b: string): string {
  return a > b ? a : b;
}
