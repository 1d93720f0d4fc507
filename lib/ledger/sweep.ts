import { NO_DETAILS_HASH } from "../domain/hash.ts";
import { derivedId } from "../domain/id.ts";
import type { Expiry } from "../domain/movements/expiry.ts";
import { commandOf, pendingTransaction, type Transaction } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import type { Clock, CommandQueue, DueIndex, LedgerStore, TransactionKey } from "./ports.ts";

/** A credit, or the expiry of a hold, is sent again this long after it was stored, and a hold expires this long after its time. */
const DUE_AFTER_MS = 60_000;
const PAUSE_MAX_MS = 300_000;

/** When a transaction is due that was stored, or whose time was over, at a time. ISO 8601, UTC, both. */
export function dueAfter(time: string): string {
  return new Date(Date.parse(time) + DUE_AFTER_MS).toISOString();
}

export interface SweepPorts {
  readonly due: DueIndex;
  readonly store: Pick<LedgerStore, "findTransaction" | "putPending">;
  readonly queue: Pick<CommandQueue, "send">;
  readonly clock: Clock;
}

export interface Swept {
  /** Credits that were sent again. */
  readonly credits: number;
  /** Holds whose expiries were sent. */
  readonly expiries: number;
  /** How long the oldest credit that was due has been in transit, sent or not; 0 if there was none. */
  readonly oldestCreditSeconds: number;
  /** How long ago the oldest hold that was due should have expired, sent or not; 0 if there was none. */
  readonly oldestExpirySeconds: number;
  /** What could not be sent. It stays due. */
  readonly failures: readonly (TransactionKey & { readonly error: unknown })[];
}

/** Sends what is due: credits and expiries that are undecided, and the expiries of open holds whose time is over. */
export async function sweep({ due, store, queue, clock }: SweepPorts): Promise<Swept> {
  const swept = { credits: 0, expiries: 0, oldestCreditSeconds: 0, oldestExpirySeconds: 0 };
  const failures: Swept["failures"][number][] = [];
  const nowMs = clock.now().getTime();
  await inParallel(due.dueBefore(new Date(nowMs).toISOString()), async (key) => {
    try {
      const transaction = await store.findTransaction(key.userId, key.id);
      const isOpenHold = transaction?.type === "hold" && transaction.remainder?.holdStatus === "open";
      const isSent = transaction?.type === "credit" || transaction?.type === "expiry";
      // The index can lag behind a decision.
      if (!isOpenHold && !(isSent && !transaction.decision)) return;
      const isCredit = transaction.type === "credit";
      const ageMs = nowMs - Date.parse(isOpenHold ? transaction.expiresAt : transaction.createdAt);
      const age = isCredit ? "oldestCreditSeconds" : "oldestExpirySeconds";
      swept[age] = Math.max(swept[age], ageMs / 1000);
      const pending = isOpenHold ? await storedExpiry(transaction) : transaction;
      if (pending.decision === undefined) await queue.send({ commands: [commandOf(pending)], requestId: "sweep" });
      await due.postpone(key, new Date(nowMs + pauseMs(ageMs)).toISOString());
      swept[isCredit ? "credits" : "expiries"]++;
    } catch (error) {
      failures.push({ ...key, error });
    }
  });
  return { ...swept, failures };

  async function storedExpiry({
    userId,
    id,
    currency,
    exponent,
  }: Transaction & { type: "hold" }): Promise<Transaction> {
    const command: Expiry = {
      type: "expiry",
      id: derivedId("expiry", userId, id),
      userId,
      actor: "ledger",
      createdAt: clock.now().toISOString(),
      currency,
      exponent,
      detailsHash: NO_DETAILS_HASH,
      refersTo: id,
    };
    const expiry = pendingTransaction(command);
    // The expiry is due by itself: a capture can close the hold before it is sent.
    return (await store.putPending(expiry, dueAfter(expiry.createdAt))) ?? expiry;
  }
}

/** Half the age, so that the pauses grow. */
function pauseMs(ageMs: number): number {
  return Math.min(Math.max(ageMs / 2, DUE_AFTER_MS), PAUSE_MAX_MS);
}
