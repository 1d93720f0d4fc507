import { walletAfter } from "../domain/decide.ts";
import { emptyWallet, type Wallet } from "../domain/state.ts";
import { type Clock, type LedgerStore, TransientError } from "./ports.ts";

/** No write of a decision arrives later than this after the decision's time. */
const FINAL_AFTER_MS = 30_000;

const READS_MAX = 5;
const PAUSE_FIRST_MS = 50;

export interface PastPorts {
  readonly store: LedgerStore;
  readonly clock: Clock;
}

export interface Past {
  /** The wallet after the newest decision at or before the moment. */
  readonly wallet: Wallet;
  /** True if no later decision can change this answer. */
  readonly isFinal: boolean;
}

/**
 * Reads the wallet as of a moment. The history's index can lag behind the tables, so the answer is used only if it is
 * proved that no decision is missing: the next decision has the next sequence number, or the wallet, which was read
 * before the index, ends there.
 *
 * @param at ISO 8601 with milliseconds, UTC
 * @throws TransientError when the index lags for longer than the reader waits
 */
export async function readAsOf(userId: string, at: string, ports: PastPorts): Promise<Past> {
  const { store, clock } = ports;
  const isOld = Date.parse(at) <= clock.now().getTime() - FINAL_AFTER_MS;
  const wallet = (await store.readWallet(userId)) ?? emptyWallet;
  const { sequence: end, decidedAt } = wallet;
  if (decidedAt === undefined || decidedAt <= at) return { wallet, isFinal: isOld };
  const behind = momentAfter(at);
  return untilProved(clock, async () => {
    const past = await store.readHistory(userId, { limit: 1, order: "newest first", to: behind });
    const last = past.transactions[0]?.decision;
    const next = (last?.sequence ?? 0) + 1;
    const isProved = next === end || next === (await nextSequence());
    return isProved ? { wallet: last ? walletAfter(last) : emptyWallet, isFinal: true } : undefined;
  });

  async function nextSequence(): Promise<number | undefined> {
    const later = await store.readHistory(userId, { limit: 1, order: "oldest first", from: behind });
    return later.transactions[0]?.decision.sequence;
  }
}

/** The next moment, of those with milliseconds. */
export function momentAfter(time: string): string {
  return new Date(Date.parse(time) + 1).toISOString();
}

/** The previous moment, of those with milliseconds. */
export function momentBefore(time: string): string {
  return new Date(Date.parse(time) - 1).toISOString();
}

/** Repeats a read of the index until it proves its own answer. */
export async function untilProved<T>(clock: Clock, read: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < READS_MAX; attempt++) {
    if (attempt > 0) await clock.sleep(PAUSE_FIRST_MS * 2 ** (attempt - 1));
    const answer = await read();
    if (answer !== undefined) return answer;
  }
  throw new TransientError("The index of the history lags behind the wallet");
}
