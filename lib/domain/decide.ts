import type { Command } from "./command.ts";
import { hashOf } from "./hash.ts";
import { MINOR_UNITS_MAX } from "./money.ts";
import { changesOf } from "./movements/index.ts";
import type { Change } from "./movements/movement.ts";
import type { RejectionCode } from "./rejection.ts";
import { availableOf, balanceOf, currenciesOf, heldOf, type Wallet } from "./state.ts";
import type { Decision, Posting } from "./transaction.ts";

/** The most currencies in which a wallet can have money. */
export const CURRENCIES_MAX = 50;

type Balances = Pick<Wallet, "available" | "held">;

/**
 * Decides one command. Every decision, rejections included, takes the next sequence number.
 *
 * @param now the consumer's clock, ISO 8601, UTC. The decision is never earlier than the command and the previous decision.
 */
export function decide(wallet: Wallet, command: Command, now: string): Decision {
  const changes = changesOf(command);
  const changed = changes.reduce(applyChange, wallet);
  const code = rejectionOf(changes, changed);
  const { available, held } = code ? wallet : changed;
  const decision: Omit<Decision, "hash"> = {
    sequence: wallet.sequence + 1,
    decidedAt: latest(now, earliestDecision(wallet, command)),
    outcome: code ? { status: "rejected", code } : { status: "posted" },
    postings: code ? [] : postingsOf(command, changed),
    available,
    held,
    previousHash: wallet.hash,
  };
  return { ...decision, hash: hashOf(command, decision) };
}

/** The wallet after a decision. */
export function evolve({ sequence, available, held, decidedAt, hash }: Decision): Wallet {
  return { sequence, available, held, decidedAt, hash };
}

/** The earliest time at which a command can be decided, whatever the consumer's clock says. */
export function earliestDecision({ decidedAt = "" }: Wallet, { createdAt }: Command): string {
  return latest(decidedAt, createdAt);
}

/** The result of a user's commands, for one write instead of one per command. */
export interface Fold {
  readonly wallet: Wallet;
  /** In the order of the commands. */
  readonly decisions: readonly Decision[];
  /** By debited currency: the least initial available balance, in minor units, with which no step goes below zero. */
  readonly requiredAvailableMinor: ReadonlyMap<string, bigint>;
  /** By currency in which money held is freed: the least initial held balance, in minor units. */
  readonly requiredHeldMinor: ReadonlyMap<string, bigint>;
}

/** Decides commands in order, each against the wallet after the previous one. */
export function fold(start: Wallet, commands: readonly Command[], now: string): Fold {
  let wallet = start;
  const decisions: Decision[] = [];
  const requiredAvailableMinor = new Map<string, bigint>();
  const requiredHeldMinor = new Map<string, bigint>();
  for (const command of commands) {
    const decision = decide(wallet, command, now);
    wallet = evolve(decision);
    decisions.push(decision);
    for (const { currency } of decision.postings) {
      raise(requiredAvailableMinor, currency, availableOf(start, currency) - availableOf(wallet, currency));
      raise(requiredHeldMinor, currency, heldOf(start, currency) - heldOf(wallet, currency));
    }
  }
  return { wallet, decisions, requiredAvailableMinor, requiredHeldMinor };
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

/** The first code that applies, in the order of {@link REJECTION_CODES}. */
function rejectionOf(changes: readonly Change[], after: Balances): RejectionCode | undefined {
  const currencies = changes.map(({ currency }) => currency);
  if (currencies.some((currency) => availableOf(after, currency) < 0n)) return "insufficient_funds";
  // The limits are for what adds money: a wallet that is above one can always be debited.
  const credited = changes.filter(({ amountMinor }) => amountMinor > 0n).map(({ currency }) => currency);
  if (credited.length > 0 && currenciesOf(after).length > CURRENCIES_MAX) return "currency_limit";
  if (credited.some((currency) => balanceOf(after, currency) > MINOR_UNITS_MAX)) return "balance_limit";
  return undefined;
}

/** The postings of a posted command, with the balances after it. */
export function postingsOf(command: Command, after: Balances): Posting[] {
  return changesOf(command).map((change) => ({
    ...change,
    balanceAfterMinor: balanceOf(after, change.currency),
    heldAfterMinor: heldOf(after, change.currency),
  }));
}

/** The later of two times in ISO 8601, UTC, of the same precision. */
function latest(a: string, b: string): string {
  return a > b ? a : b;
}
