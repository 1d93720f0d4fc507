import type { Wallet } from "../domain/state.ts";
import type { DecidedTransaction } from "../domain/transaction.ts";
import { inParallel } from "./inParallel.ts";
import { untilProved } from "./past.ts";
import { type Clock, HISTORY_LIMIT_MAX, type LedgerStore, TransientError, UnreadableItem } from "./ports.ts";
import type { Position } from "./position.ts";
import {
  type DecisionRange,
  type EventPorts,
  publishDecisions,
  type UnpublishedRange,
  type UnreadableChange,
} from "./publish.ts";

export interface RepublishPorts extends Omit<EventPorts, "observer"> {
  readonly store: Pick<LedgerStore, "readHistory" | "readWallet">;
  readonly clock: Clock;
}

export interface Republished {
  /** Published events. */
  readonly events: number;
  /** Users of whom an event was published. */
  readonly users: number;
  /** Users of whom not everything was published, and why. */
  readonly failures: readonly { readonly userId: string; readonly error: unknown }[];
}

/** A message of the failure queue. */
export interface PublishFailure {
  readonly messageId: string;
  readonly sentAt: Date;
  readonly content:
    | UnpublishedRange
    /** A batch of the stream that Lambda discarded. */
    | { readonly batch: string; readonly problem: string; readonly arrivedAt: string | undefined }
    /** Not a message of the publisher or of Lambda. */
    | undefined;
}

export interface PublishFailureQueue<Received extends PublishFailure = PublishFailure> {
  /** @returns none when nothing more can be received */
  receive(): Promise<readonly Received[]>;
  /** Makes messages visible again. */
  release(messages: readonly Received[]): Promise<void>;
  remove(message: Received): Promise<void>;
  /**
   * The writes of a discarded batch, in order, from the stream.
   *
   * @returns undefined if the stream does not have them any more
   */
  changesOf(message: Received): Promise<readonly (DecisionRange | UnreadableChange)[] | undefined>;
}

/**
 * Publishes a user's decisions again.
 *
 * @param from sequence number of the first, from 1
 * @param to sequence number of the last, at most the wallet's
 * @param wallet the user's, after its last decision
 */
export async function republishRange(
  userId: string,
  { from, to }: { readonly from: number; readonly to: number },
  wallet: Wallet,
  ports: RepublishPorts,
): Promise<Republished> {
  return counting(ports, async (run) => {
    await run.attempt(userId, async () => {
      const end = to < wallet.sequence ? await findPosition(userId, to, ports) : endOf(wallet);
      const before = from > 1 ? await findPosition(userId, from - 1, ports) : undefined;
      if (end) await run.publishFrom(userId, before, end);
    });
  });
}

/**
 * Publishes all decisions since a time again, the users in parallel and each user's in order.
 *
 * @param since ISO 8601 with milliseconds, UTC
 * @param wallets those of all users
 */
export async function republishSince(
  since: string,
  wallets: AsyncIterable<{ readonly userId: string; readonly wallet: Wallet } | UnreadableItem>,
  ports: RepublishPorts,
): Promise<Republished> {
  return counting(ports, (run) =>
    inParallel(wallets, (read) =>
      run.attempt(read.userId, async () => {
        if (read instanceof UnreadableItem) throw read;
        const end = endOf(read.wallet);
        if (!end || end.decidedAt < since) return;
        const query = { limit: 1, order: "newest first", to: since } as const;
        const { transactions } = await ports.store.readHistory(read.userId, query);
        await run.publishFrom(read.userId, transactions[0]?.decision, end);
      }),
    ),
  );
}

/** What became of a message of the failure queue. */
export interface Attempt<Received extends PublishFailure> {
  readonly message: Received;
  /** What it says is not published; absent if that can't be found out any more. */
  readonly changes: readonly (DecisionRange | UnreadableChange)[] | undefined;
  readonly republished: Republished | undefined;
}

/**
 * Publishes what the failure queue says is not published. A message is removed when all of its events are published.
 *
 * @param isDryRun whether nothing is removed
 */
export async function republishFailures<Received extends PublishFailure>(
  queue: PublishFailureQueue<Received>,
  isDryRun: boolean,
  ports: RepublishPorts,
  onAttempt: (attempt: Attempt<Received>) => void,
): Promise<void> {
  const kept: Received[] = [];
  try {
    for (let next = await queue.receive(); next.length > 0; next = await queue.receive()) {
      kept.push(...next);
      for (const message of next) {
        const changes = await changesOf(message);
        const republished = changes && (await counting(ports, (run) => run.publishChanges(changes)));
        if (republished?.failures.length === 0 && !isDryRun) {
          await queue.remove(message);
          kept.splice(kept.indexOf(message), 1);
        }
        onAttempt({ message, changes, republished });
      }
    }
  } finally {
    await queue.release(kept);
  }

  async function changesOf(message: Received) {
    const { content } = message;
    if (!content) return undefined;
    if ("batch" in content) return queue.changesOf(message);
    const { userId, from } = content;
    const wallet = from === undefined ? undefined : await ports.store.readWallet(userId);
    const after = wallet && endOf(wallet);
    if (!from || !after) return undefined;
    const before = from > 1 ? await findPosition(userId, from - 1, ports) : undefined;
    return [{ userId, before, after }];
  }
}

function endOf({ sequence, decidedAt }: Wallet): Position | undefined {
  return decidedAt === undefined ? undefined : { sequence, decidedAt };
}

/** The place of a decision in the history, which orders decisions by time. */
async function findPosition(userId: string, sequence: number, { store }: RepublishPorts): Promise<Position> {
  let after: Position | undefined;
  do {
    const page = await store.readHistory(userId, { limit: HISTORY_LIMIT_MAX, order: "newest first", after });
    const found = page.transactions.find(({ decision }) => decision.sequence === sequence);
    if (found) return found.decision;
    after = page.end;
  } while (after);
  throw new TransientError(`The history lacks the decision ${sequence}`);
}

interface Run {
  /** Does something for one user; an error is one of the failures. */
  attempt(userId: string, work: () => Promise<void>): Promise<void>;
  /** Publishes the decisions after a position, up to another. */
  publishFrom(userId: string, before: Position | undefined, end: Position): Promise<void>;
  publishChanges(changes: readonly (DecisionRange | UnreadableChange)[]): Promise<void>;
}

/** Publishes in pages of the history, and counts the events, and the users of whom not all are published. */
async function counting(ports: RepublishPorts, work: (run: Run) => Promise<unknown>): Promise<Republished> {
  const users = new Set<string>();
  const failures = new Map<string, unknown>();
  let events = 0;
  const observer: EventPorts["observer"] = {
    published({ userId }) {
      events++;
      users.add(userId);
    },
  };
  const run: Run = {
    async attempt(userId, attempted) {
      try {
        await attempted();
      } catch (error) {
        failures.set(userId, error);
      }
    },
    async publishFrom(userId, before, end) {
      let done = before;
      for (let left = missing(done, end); left > 0; left = missing(done, end)) {
        const query = { limit: Math.min(left, HISTORY_LIMIT_MAX), order: "oldest first", after: done } as const;
        const decisions = await untilProved(ports.clock, async () => {
          const { transactions } = await ports.store.readHistory(userId, query);
          return isNext(transactions, done) ? transactions : undefined;
        });
        await publishDecisions(decisions, { ...ports, observer });
        done = decisions.at(-1)?.decision;
      }
    },
    async publishChanges(changes) {
      for (const change of changes) {
        if (failures.has(change.userId)) continue;
        if ("unreadable" in change) failures.set(change.userId, change.unreadable);
        else await run.attempt(change.userId, () => run.publishFrom(change.userId, change.before, change.after));
      }
    },
  };
  await work(run);
  return { events, users: users.size, failures: [...failures].map(([userId, error]) => ({ userId, error })) };
}

function missing(done: Position | undefined, end: Position): number {
  return end.sequence - (done?.sequence ?? 0);
}

/** Whether some decisions follow each other, and the last one before them; the index of the history can lack some. */
function isNext(decisions: readonly DecidedTransaction[], before: Position | undefined): boolean {
  const first = (before?.sequence ?? 0) + 1;
  return decisions.length > 0 && decisions.every(({ decision }, index) => decision.sequence === first + index);
}
