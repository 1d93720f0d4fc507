import { type DecidedTransaction, isDecided, type Transaction } from "../domain/transaction.ts";
import { chunksOf } from "./chunksOf.ts";
import { inParallel } from "./inParallel.ts";
import {
  type Clock,
  type EventPublisher,
  type LedgerEvent,
  type LedgerStore,
  type TransactionKey,
  TransientError,
  UnreadableItem,
} from "./ports.ts";
import type { Position } from "./position.ts";

/** Successive decisions of a user. */
export interface DecisionRange {
  readonly userId: string;
  /** The last decision before them; `undefined` if the user's first is among them. */
  readonly before: Position | undefined;
  /** The last of them. */
  readonly after: Position;
}

/** A write of a user's wallet, as a record of the table's stream says it. */
export interface WalletChange extends DecisionRange {
  readonly recordId: string;
  /** Ids of the transactions that the write decided, in order. */
  readonly ids: readonly string[];
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
export interface PublishObserver extends EventObserver {
  /** The stream delivers the user's records again, unless the error is an UnreadableItem. */
  failed(userId: string, recordIds: readonly string[], error: unknown): void;
}

/** Must not throw. */
interface EventObserver {
  /** The decision's event is published. */
  published(transaction: DecidedTransaction): void;
}

/** What publishes decisions, wherever they were read. */
export interface EventPorts {
  /** Each event is published when all of them have it. */
  readonly publishers: readonly EventPublisher[];
  readonly eventOf: (transaction: DecidedTransaction) => LedgerEvent;
  readonly observer: EventObserver;
}

export interface PublishPorts extends EventPorts {
  readonly store: Pick<LedgerStore, "findTransactions">;
  readonly failures: {
    /** Reports to an operator what the stream does not deliver again. */
    send(range: UnpublishedRange): Promise<void>;
  };
  readonly clock: Clock;
  readonly observer: PublishObserver;
}

/** The most transactions of one read: what DynamoDB reads at once. */
const KEYS_MAX = 100;
/** The most events of one call of a publisher: what SNS takes. */
const EVENTS_MAX = 10;
/** No read or call of a publisher starts later than this after the delivery, so that the function ends before its timeout. */
const BUDGET_MS = 20_000;

/** Decisions of a user, as far as they are not published yet. */
interface Unpublished {
  /** Oldest first. */
  readonly pending: DecidedTransaction[];
  /** Sequence number of the last published decision. */
  publishedSequence: number;
  /** Why the later decisions can't be published now. */
  error: unknown;
}

interface User extends Unpublished {
  readonly userId: string;
  /** Those that decided something, in order. */
  readonly changes: readonly (WalletChange | UnreadableChange)[];
}

/**
 * Publishes decisions of one user, in order, up to the first failure.
 *
 * @param decisions oldest first
 * @throws TransientError when one of them may not be published; what the publishers throw
 */
export async function publishDecisions(decisions: readonly DecidedTransaction[], ports: EventPorts): Promise<void> {
  const unpublished: Unpublished = { pending: [...decisions], publishedSequence: 0, error: undefined };
  await publishInRounds([unpublished], () => false, ports);
  if (unpublished.error !== undefined) throw unpublished.error;
}

/**
 * Publishes the decisions of some writes: each user's in order, the users independently of each other. A write whose decisions
 * cannot all be read is not published at all, and neither are the later ones of its user. Because a failed record blocks the
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
  const users: User[] = [...Map.groupBy(changes.filter(decidesSomething), ({ userId }) => userId)].map(
    ([userId, own]) => ({ userId, changes: own, pending: [], publishedSequence: 0, error: undefined }),
  );
  await read(users, deadlineMs, ports);
  await publishInRounds(users, () => ports.clock.now().getTime() >= deadlineMs, ports);
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

/**
 * Reads the decisions of the users' changes, of each user up to the first change that cannot be read. All are read together,
 * unless one of the items is unreadable.
 */
async function read(users: readonly User[], deadlineMs: number, { store, clock }: PublishPorts): Promise<void> {
  let together: ReadonlyMap<string, Transaction> | undefined;
  try {
    together = await find(users.flatMap(({ changes }) => changes));
  } catch (error) {
    if (!(error instanceof UnreadableItem)) return stop(users, error);
  }
  await inParallel(users, async (user) => {
    try {
      for (const change of user.changes) {
        if ("unreadable" in change) throw change.unreadable;
        user.pending.push(...decisionsOf(change, together ?? (await find([change]))));
      }
    } catch (error) {
      user.error = error;
    }
  });

  /** By id. */
  async function find(
    changes: readonly (WalletChange | UnreadableChange)[],
  ): Promise<ReadonlyMap<string, Transaction>> {
    const found = new Map<string, Transaction>();
    // DynamoDB refuses a read that names an item twice.
    const distinct = new Map(changes.flatMap(keysOf).map((key) => [key.id, key]));
    for (const keys of chunksOf([...distinct.values()], KEYS_MAX)) {
      if (clock.now().getTime() >= deadlineMs) throw noTimeLeft();
      for (const transaction of await store.findTransactions(keys)) found.set(transaction.id, transaction);
    }
    return found;
  }
}

function keysOf(change: WalletChange | UnreadableChange): readonly TransactionKey[] {
  return "unreadable" in change ? [] : change.ids.map((id) => ({ userId: change.userId, id }));
}

/** @throws TransientError when a transaction is not as the write left it: DynamoDB shows the items of a write one by one */
function decisionsOf({ ids, before }: WalletChange, stored: ReadonlyMap<string, Transaction>): DecidedTransaction[] {
  return ids.map((id, index) => {
    const transaction = stored.get(id);
    const sequence = (before?.sequence ?? 0) + 1 + index;
    if (transaction && isDecided(transaction) && transaction.decision.sequence === sequence) return transaction;
    throw new TransientError(`The decision ${sequence} is not in the table`);
  });
}

/** Publishes the decisions of several users. In a round, every user's next event is published. */
async function publishInRounds(users: readonly Unpublished[], isLate: () => boolean, ports: EventPorts): Promise<void> {
  for (;;) {
    const active = users.filter(({ pending }) => pending.length > 0);
    if (active.length === 0) return;
    const isOver = isLate();
    await inParallel(chunksOf(active, EVENTS_MAX), async (some) =>
      isOver ? stop(some, noTimeLeft()) : publishNext(some, ports),
    );
  }
}

/** Publishes the next event of some users. */
async function publishNext(
  users: readonly Unpublished[],
  { publishers, eventOf, observer }: EventPorts,
): Promise<void> {
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

function stop(users: readonly Unpublished[], error: unknown): void {
  for (const user of users) {
    user.pending.length = 0;
    user.error = error;
  }
}

function noTimeLeft(): TransientError {
  return new TransientError("No time left");
}
