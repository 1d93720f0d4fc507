import type { DecidedTransaction } from "../domain/transaction.ts";
import { chunksOf } from "./chunksOf.ts";
import { inParallel } from "./inParallel.ts";
import { untilProved } from "./past.ts";
import {
  type Clock,
  type EventPublisher,
  HISTORY_LIMIT_MAX,
  type LedgerEvent,
  type LedgerStore,
  TransientError,
  UnreadableItem,
} from "./ports.ts";
import { type Position, positionText } from "./position.ts";

/** A write of a user's wallet, as a record of the table's stream says it. */
export interface WalletChange {
  readonly recordId: string;
  readonly userId: string;
  /** The last decision before the write; `undefined` for the user's first. */
  readonly before: Position | undefined;
  /** The last decision of the write. */
  readonly after: Position;
}

/** A write of a wallet whose images in the stream the ledger did not write. */
export interface UnreadableChange {
  readonly recordId: string;
  readonly userId: string;
  readonly unreadable: UnreadableItem;
}

/** Decisions of a user that no retry can publish, until an operator repairs an item. */
export interface UnpublishedRange {
  readonly userId: string;
  /** Sequence number of the first of them; absent if the stream's image of the wallet does not say it. */
  readonly from: number | undefined;
  /** Why. */
  readonly problem: string;
}

/** Observes the publisher. Must not throw. */
export interface PublishObserver {
  /** The decision's event is published. */
  published(transaction: DecidedTransaction): void;
  /** The stream delivers the user's records again, unless the error is an UnreadableItem. */
  failed(userId: string, recordIds: readonly string[], error: unknown): void;
}

export interface PublishPorts {
  readonly store: Pick<LedgerStore, "readHistory">;
  /** Each event is published when all of them have it. */
  readonly publishers: readonly EventPublisher[];
  readonly eventOf: (transaction: DecidedTransaction) => LedgerEvent;
  readonly failures: {
    /** Reports to an operator what the stream does not deliver again. */
    send(range: UnpublishedRange): Promise<void>;
  };
  readonly clock: Clock;
  readonly observer: PublishObserver;
}

/** The most events of one call of a publisher: what SNS takes. */
const EVENTS_MAX = 10;
/** No read or call of a publisher starts later than this after the delivery, so that the function ends before its timeout. */
const BUDGET_MS = 20_000;

interface User {
  readonly userId: string;
  /** Those that decided something, in order. */
  readonly changes: readonly (WalletChange | UnreadableChange)[];
  /** The decisions of the first changes that are not published yet, oldest first. */
  readonly pending: DecidedTransaction[];
  /** Sequence number of the last published decision. */
  publishedSequence: number;
  /** Why the later decisions can't be published now. */
  error: unknown;
}

/**
 * Publishes the decisions of some writes: each user's in order, the users independently of each other. A write whose decisions
 * cannot all be read is not published at all, and neither are the later ones of its user. Because a failed record holds up the
 * records of other users behind it, one with an unreadable item is reported instead.
 *
 * @param changes in the order of the stream
 * @returns ids of the stream records that must be delivered again
 */
export async function publish(
  changes: readonly (WalletChange | UnreadableChange)[],
  ports: PublishPorts,
): Promise<string[]> {
  const deadlineMs = ports.clock.now().getTime() + BUDGET_MS;
  const users: User[] = [];
  await inParallel(
    Map.groupBy(changes.filter(decidesSomething), ({ userId }) => userId),
    async ([userId, own]) => {
      const user: User = { userId, changes: own, pending: [], publishedSequence: 0, error: undefined };
      users.push(user);
      await read(user, deadlineMs, ports);
    },
  );
  await publishInRounds(users, deadlineMs, ports);
  const failures = users.flatMap((user) => {
    const index = user.changes.findIndex(
      (each) => "unreadable" in each || each.after.sequence > user.publishedSequence,
    );
    const [first] = user.changes.slice(index);
    return index < 0 || !first
      ? []
      : [{ ...user, first, recordIds: user.changes.slice(index).map(({ recordId }) => recordId) }];
  });
  // The stream delivers everything again that is behind the first record that it must deliver again.
  const retried = failures.filter(({ error }) => !(error instanceof UnreadableItem));
  const isRetried = (change: WalletChange | UnreadableChange) =>
    retried.some(({ first }) => changes.indexOf(first) < changes.indexOf(change));
  const failed = failures.map(async ({ userId, first, recordIds, error }) => {
    ports.observer.failed(userId, recordIds, error);
    const isReported = error instanceof UnreadableItem && !isRetried(first) && (await report(first, error, ports));
    return isReported ? [] : recordIds;
  });
  return (await Promise.all(failed)).flat();
}

/** @returns whether the operator will learn of it */
async function report(
  change: WalletChange | UnreadableChange,
  { message: problem }: UnreadableItem,
  { failures, observer }: PublishPorts,
): Promise<boolean> {
  const { recordId, userId } = change;
  const from = "unreadable" in change ? undefined : (change.before?.sequence ?? 0) + 1;
  try {
    await failures.send({ userId, from, problem });
    return true;
  } catch (error) {
    observer.failed(userId, [recordId], error);
    return false;
  }
}

function decidesSomething(change: WalletChange | UnreadableChange): boolean {
  return "unreadable" in change || change.after.sequence > (change.before?.sequence ?? 0);
}

/** Reads the decisions of the user's changes, up to the first change that cannot be read. */
async function read(user: User, deadlineMs: number, { store, clock }: PublishPorts): Promise<void> {
  try {
    for (const change of user.changes) {
      if ("unreadable" in change) throw change.unreadable;
      if (clock.now().getTime() >= deadlineMs) throw noTimeLeft();
      user.pending.push(...(await untilProved(clock, () => readDecisions(change, store))));
    }
  } catch (error) {
    user.error = error;
  }
}

/** @returns undefined if the index of the history lacks one of the decisions */
async function readDecisions(
  { userId, before, after }: WalletChange,
  store: PublishPorts["store"],
): Promise<readonly DecidedTransaction[] | undefined> {
  const decided: DecidedTransaction[] = [];
  let last = before;
  for (let missing = missingAfter(last); missing > 0; missing = missingAfter(last)) {
    const limit = Math.min(missing, HISTORY_LIMIT_MAX);
    const { transactions } = await store.readHistory(userId, { limit, order: "oldest first", after: last });
    if (transactions.length === 0) return undefined;
    for (const transaction of transactions) {
      if (transaction.decision.sequence !== (last?.sequence ?? 0) + 1) return undefined;
      last = transaction.decision;
      decided.push(transaction);
    }
  }
  return last && positionText(last) === positionText(after) ? decided : undefined;

  function missingAfter(position: Position | undefined): number {
    return after.sequence - (position?.sequence ?? 0);
  }
}

/** In a round, every user's next event is published. */
async function publishInRounds(users: readonly User[], deadlineMs: number, ports: PublishPorts): Promise<void> {
  for (;;) {
    const active = users.filter(({ pending }) => pending.length > 0);
    if (active.length === 0) return;
    const isLate = ports.clock.now().getTime() >= deadlineMs;
    await inParallel(chunksOf(active, EVENTS_MAX), async (some) =>
      isLate ? stop(some, noTimeLeft()) : publishNext(some, ports),
    );
  }
}

/** Publishes the next event of some users. */
async function publishNext(users: readonly User[], { publishers, eventOf, observer }: PublishPorts): Promise<void> {
  try {
    const next = users.flatMap((user) =>
      user.pending.slice(0, 1).map((transaction) => ({ user, transaction, event: eventOf(transaction) })),
    );
    const failed = await publishTo(
      publishers,
      next.map(({ event }) => event),
    );
    for (const { user, transaction, event } of next) {
      if (failed.has(event.id)) {
        stop([user], new TransientError(`The event ${event.id} was not published`));
        continue;
      }
      user.pending.shift();
      user.publishedSequence = transaction.decision.sequence;
      observer.published(transaction);
    }
  } catch (error) {
    stop(users, error);
  }
}

/**
 * Waits for every publisher, because a call that goes on after the function's end could publish out of order.
 *
 * @returns ids of the events that not all of them have
 */
async function publishTo(publishers: readonly EventPublisher[], events: readonly LedgerEvent[]): Promise<Set<string>> {
  const results = await Promise.allSettled(publishers.map((publisher) => publisher.publish(events)));
  return new Set(
    results.flatMap((result) => {
      if (result.status === "rejected") throw result.reason;
      return [...result.value];
    }),
  );
}

function stop(users: readonly User[], error: unknown): void {
  for (const user of users) {
    user.pending.length = 0;
    user.error = error;
  }
}

function noTimeLeft(): TransientError {
  return new TransientError("No time left");
}
