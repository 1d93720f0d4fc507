import { isDeepStrictEqual } from "node:util";
import type { Currency } from "../lib/domain/currency.ts";
import { availableOf, emptyWallet, heldOf, type Wallet } from "../lib/domain/state.ts";
import {
  type DecidedTransaction,
  isDecided,
  pendingTransaction,
  statusOf,
  type Transaction,
} from "../lib/domain/transaction.ts";
import { consume } from "../lib/ledger/consume.ts";
import { encodeMessage, type Message, userIdOf } from "../lib/ledger/message.ts";
import {
  type Clock,
  COMMIT_ITEMS_MAX,
  type CommandQueue,
  type Commit,
  type CommitResult,
  type ConsumerObserver,
  type CurrencyList,
  type DeadLetterReason,
  type Decided,
  type DueIndex,
  type LedgerStore,
  type QueueRecord,
  type RetryCause,
  TransientError,
} from "../lib/ledger/ports.ts";
import { type Position, positionText } from "../lib/ledger/position.ts";
import type { Submission } from "../lib/ledger/submit.ts";
import { dueAfter } from "../lib/ledger/sweep.ts";
import { toError } from "../lib/ledger/toError.ts";

/**
 * The ledger's ports in memory, for unit tests: a store with the conditions of lib/aws/store.ts, a clock that a test
 * advances, and calls that can fail before or after their effect.
 */

type Operation =
  | "putPending"
  | "putAllPending"
  | "findTransaction"
  | "readWallet"
  | "readWallets"
  | "commit"
  | "findTransactions"
  | "readHistory"
  | "readOpenHolds"
  | "postpone"
  | "send"
  | "sendToDeadLetters"
  | "listCurrencies";

interface Intervention {
  readonly operation: Operation;
  readonly at: "before" | "after";
  /** The call's user, or one of them; any if absent. */
  readonly userId?: string;
  /** Default: 1. */
  readonly times?: number;
  /** Runs in the call, which fails with the error that it throws. */
  readonly act: () => void;
}

const CURRENCIES: readonly Currency[] = [
  { code: "EUR", name: "Euro", exponent: 2, enabled: true },
  { code: "JPY", name: "Yen", exponent: 0, enabled: true },
  { code: "USD", name: "US dollar", exponent: 2, enabled: true },
  { code: "XOF", name: "CFA franc", exponent: 0, enabled: false },
];

export function inMemoryPorts() {
  const clock = virtualClock();
  const currencies = [...CURRENCIES];
  const transactions = new Map<string, Transaction>();
  const wallets = new Map<string, Wallet>();
  /** Ids of transactions whose write is invalid. */
  const invalidWriteIds = new Set<string>();
  /** Ids of decided transactions that the history's index does not have yet. */
  const hiddenIds = new Set<string>();
  /** When the sweep sends a transaction, by its key. */
  const due = new Map<string, string>();
  const sent: Message[] = [];
  const deadLetters: { record: QueueRecord; reason: DeadLetterReason }[] = [];
  const calls: string[] = [];
  const interventions: { intervention: Intervention; left: number }[] = [];
  let latencyMs = 0;

  function intervene(at: Intervention["at"], operation: Operation, userIds: readonly string[]) {
    for (const entry of interventions) {
      const { intervention } = entry;
      const applies = intervention.at === at && intervention.operation === operation;
      const concerns = intervention.userId === undefined || userIds.includes(intervention.userId);
      if (!applies || entry.left === 0 || !concerns) continue;
      entry.left--;
      intervention.act();
    }
  }

  /** Runs a call as over a network: other calls may run in between, and it may fail before or after its effect. */
  async function during<T>(operation: Operation, users: string | readonly string[], effect: () => T): Promise<T> {
    const userIds = [users].flat();
    calls.push([operation, ...userIds].join(" "));
    await Promise.resolve();
    clock.advance(latencyMs);
    intervene("before", operation, userIds);
    const result = effect();
    intervene("after", operation, userIds);
    return result;
  }

  const keyOf = (userId: string, id: string) => JSON.stringify([userId, id]);

  function commit(commits: readonly Commit[]): CommitResult {
    const decided = commits.flatMap(({ userId, decided }) =>
      decided.map(({ command, contentHash }) => ({ userId, id: command.id, contentHash })),
    );
    const emitted = commits.flatMap(({ decided }) => decided.flatMap((each) => each.emitted ?? []));
    const written = [
      ...decided,
      ...emitted,
      ...commits.flatMap(({ referred }) => referred.map(({ before }) => before)),
    ];
    if (commits.length + written.length > COMMIT_ITEMS_MAX) throw new RangeError("The write has too many items");
    const keys = new Set(written.map(({ userId, id }) => keyOf(userId, id)));
    if (keys.size < written.length) return { kind: "invalid_write", detail: "several operations on one item" };
    const invalid = decided.find(({ id }) => invalidWriteIds.has(id));
    if (invalid) return { kind: "invalid_write", detail: `the write of ${invalid.id} is invalid` };

    const alreadyDecided = new Set<string>();
    const notAccepted = new Map<string, DeadLetterReason>();
    for (const { userId, id, contentHash } of decided) {
      const stored = transactions.get(keyOf(userId, id));
      if (!stored) notAccepted.set(id, "unknown_transaction");
      else if (stored.contentHash !== contentHash) notAccepted.set(id, "content_mismatch");
      else if (stored.decision) alreadyDecided.add(id);
    }
    if (alreadyDecided.size > 0 || notAccepted.size > 0) {
      return { kind: "precondition_failed", alreadyDecided, notAccepted };
    }

    for (const { userId, before, requiredAvailableMinor, requiredHeldMinor } of commits) {
      const stored = wallets.get(userId);
      const asRead = before ? stored?.sequence === before.sequence : stored === undefined;
      const current = stored ?? emptyWallet;
      const isCovered =
        [...requiredAvailableMinor].every(([currency, minor]) => availableOf(current, currency) >= minor) &&
        [...requiredHeldMinor].every(([currency, minor]) => heldOf(current, currency) >= minor);
      if (!asRead || !isCovered) return { kind: "conflict", detail: "ConditionalCheckFailed" };
    }

    const isAsRead = commits.every(({ referred }) =>
      referred.every(({ before: { userId, id, remainder } }) =>
        isDeepStrictEqual(transactions.get(keyOf(userId, id))?.remainder, remainder),
      ),
    );
    const isNew = emitted.every(({ userId, id }) => !transactions.has(keyOf(userId, id)));
    if (!isAsRead || !isNew) return { kind: "conflict", detail: "ConditionalCheckFailed" };

    for (const { userId, wallet, decided, referred } of commits) {
      for (const each of decided) decideTransaction(userId, each);
      for (const { before, after } of referred) {
        transactions.set(keyOf(userId, before.id), { ...before, remainder: after });
        if (after.holdStatus !== "open") due.delete(keyOf(userId, before.id));
      }
      wallets.set(userId, wallet);
    }
    return { kind: "committed" };
  }

  function decideTransaction(userId: string, { command, decision, emitted, remainder }: Decided) {
    const key = keyOf(userId, command.id);
    const stored = transactions.get(key);
    if (!stored) throw new Error(`No transaction ${command.id} to decide`);
    transactions.set(key, { ...stored, decision, remainder });
    due.delete(key);
    if (command.type === "hold" && remainder?.holdStatus === "open") due.set(key, dueAfter(command.expiresAt));
    if (!emitted) return;
    const emittedKey = keyOf(emitted.userId, emitted.id);
    transactions.set(emittedKey, pendingTransaction(emitted));
    due.set(emittedKey, dueAfter(emitted.createdAt));
  }

  const currenciesIn = (transaction: DecidedTransaction) => [
    transaction.currency,
    ...(transaction.type === "exchange" ? [transaction.bought.currency] : []),
    ...transaction.decision.postings.map((posting) => posting.currency),
  ];

  function putPending(transaction: Transaction, dueAt?: string): Transaction | undefined {
    const key = keyOf(transaction.userId, transaction.id);
    const existing = transactions.get(key);
    if (!existing) transactions.set(key, transaction);
    if (!existing && dueAt !== undefined) due.set(key, dueAt);
    return existing;
  }

  const store: LedgerStore = {
    putPending: (transaction, dueAt) => during("putPending", transaction.userId, () => putPending(transaction, dueAt)),
    putAllPending: async (pending) => {
      const failed = new Map<string, Transaction | Error>();
      for (const [userId, own] of Map.groupBy(pending, ({ userId }) => userId)) {
        try {
          await during("putAllPending", userId, () => {
            for (const transaction of own) {
              const existing = putPending(transaction);
              if (existing) failed.set(transaction.id, existing);
            }
          });
        } catch (error) {
          for (const { id } of own) failed.set(id, toError(error));
        }
      }
      return failed;
    },
    findTransaction: (userId, id) => during("findTransaction", userId, () => transactions.get(keyOf(userId, id))),
    findTransactions: (keys) =>
      during(
        "findTransactions",
        keys.map(({ userId }) => userId),
        () => keys.flatMap(({ userId, id }) => transactions.get(keyOf(userId, id)) ?? []),
      ),
    readWallet: (userId) => during("readWallet", userId, () => wallets.get(userId)),
    readWallets: (userIds) =>
      during(
        "readWallets",
        userIds,
        () =>
          new Map(
            userIds.flatMap((userId) => {
              const wallet = wallets.get(userId);
              return wallet ? [[userId, wallet] as const] : [];
            }),
          ),
      ),
    commit: (commits) =>
      during(
        "commit",
        commits.map(({ userId }) => userId),
        () => commit(commits),
      ),
    readHistory: (userId, { limit, order, after, from, to, type, currency, status }) =>
      during("readHistory", userId, () => {
        const direction = order === "oldest first" ? 1 : -1;
        const found = [...transactions.values()]
          .filter(isDecided)
          .filter((transaction) => transaction.userId === userId)
          .filter(({ decision }) => !after || isBehind(after, decision, direction))
          .filter(({ decision }) => decision.decidedAt >= (from ?? "") && decision.decidedAt < (to ?? "~"))
          .filter((transaction) => type === undefined || transaction.type === type)
          .filter((transaction) => currency === undefined || currenciesIn(transaction).includes(currency))
          .filter((transaction) => status === undefined || statusOf(transaction) === status)
          .filter(({ id }) => !hiddenIds.has(id))
          .sort((a, b) => (positionText(a.decision) < positionText(b.decision) ? -direction : direction));
        const page = found.slice(0, limit);
        return { transactions: page, end: found.length > limit ? page.at(-1)?.decision : undefined };
      }),
    readOpenHolds: (userId, { limit, after }) =>
      during("readOpenHolds", userId, () => {
        const found = [...transactions.values()]
          .filter(isDecided)
          .filter((transaction) => transaction.userId === userId && transaction.remainder?.holdStatus === "open")
          .filter(({ decision }) => !after || decision.sequence < after.sequence)
          .sort((a, b) => b.decision.sequence - a.decision.sequence);
        const page = found.slice(0, limit);
        return { transactions: page, end: found.length > limit ? page.at(-1)?.decision : undefined };
      }),
  };

  const dueIndex: DueIndex = {
    async *dueBefore(time) {
      for (const [key, dueAt] of [...due]) {
        const transaction = transactions.get(key);
        if (transaction && dueAt < time) yield { userId: transaction.userId, id: transaction.id };
      }
    },
    postpone: ({ userId, id }, dueAt) =>
      during("postpone", userId, () => {
        if (due.has(keyOf(userId, id))) due.set(keyOf(userId, id), dueAt);
      }),
  };

  /** Whether a decision is behind a position, in the order of a query. */
  function isBehind(after: Position, decision: Position, direction: number): boolean {
    const [from, at] = [positionText(after), positionText(decision)];
    return direction > 0 ? at > from : at < from;
  }

  const queue: CommandQueue = {
    send: (message) => during("send", userIdOf(message), () => void sent.push(message)),
    async sendAll(messages) {
      const unsent = new Map<Message, TransientError>();
      for (const message of messages) {
        await queue.send(message).catch((error) => unsent.set(message, error));
      }
      return unsent;
    },
    sendToDeadLetters: (record, reason) =>
      during("sendToDeadLetters", record.groupId, () => void deadLetters.push({ record, reason })),
  };

  const currencyList: CurrencyList = { list: () => during("listCurrencies", [], () => currencies) };

  const observed = {
    committed: [] as Decided[][],
    retried: [] as string[],
    retryCauses: [] as RetryCause[],
    unsent: [] as string[],
    deadLettered: [] as string[],
    failed: [] as { recordIds: readonly string[]; error: unknown }[],
  };
  const observer: ConsumerObserver = {
    committed: ({ decided }) => void observed.committed.push([...decided]),
    retried(userId, { cause }) {
      observed.retried.push(userId);
      observed.retryCauses.push(cause);
    },
    unsent: (credits) => void observed.unsent.push(...credits.map(({ id }) => id)),
    deadLettered: (record, reason) => void observed.deadLettered.push(`${record.recordId} ${reason}`),
    failed: (recordIds, error) => void observed.failed.push({ recordIds, error }),
  };

  return {
    store,
    due: dueIndex,
    queue,
    currencies: currencyList,
    clock,
    observer,

    observed,
    transactions,
    wallets,
    invalidWriteIds,
    hiddenIds,
    sent,
    deadLetters,
    calls,
    /** Runs a function in the next calls of an operation. */
    intervene(intervention: Intervention) {
      interventions.push({ intervention, left: intervention.times ?? 1 });
    },
    /** Makes the next calls fail before their effect, as when a service is down, or after it, as when its response is lost. */
    fail(
      operation: Operation,
      at: Intervention["at"],
      options: { userId?: string; times?: number; error?: Error } = {},
    ) {
      const { error = new TransientError(`${operation} failed`), ...rest } = options;
      const act = () => {
        throw error;
      };
      interventions.push({ intervention: { operation, at, act, ...rest }, left: options.times ?? 1 });
    },
    setLatency(milliseconds: number) {
      latencyMs = milliseconds;
    },
    setEnabled(code: string, enabled: boolean) {
      const index = currencies.findIndex((currency) => currency.code === code);
      const found = currencies[index];
      if (found) currencies[index] = { ...found, enabled };
    },
  };
}

export type InMemoryPorts = ReturnType<typeof inMemoryPorts>;

/** A clock that moves only when a test advances it or code sleeps on it. */
function virtualClock() {
  let nowMs = Date.parse("2026-11-23T09:30:00.000Z");
  const sleeps: number[] = [];
  const planned: { atMs: number; act: () => void }[] = [];

  function advance(milliseconds: number) {
    nowMs += milliseconds;
    const due = planned.filter(({ atMs }) => atMs <= nowMs);
    for (const plan of due) planned.splice(planned.indexOf(plan), 1);
    for (const { act } of due) act();
  }

  return {
    now: () => new Date(nowMs),
    sleep: async (milliseconds: number) => {
      sleeps.push(milliseconds);
      await Promise.resolve();
      advance(milliseconds);
    },
    random: () => 0.5,
    advance,
    /** Runs a function when this much time has passed. */
    in(milliseconds: number, act: () => void) {
      planned.push({ atMs: nowMs + milliseconds, act });
    },
    sleeps,
  } satisfies Clock & Record<string, unknown>;
}

/** The record that the queue delivers for a message. */
export function recordOf(message: Message, recordId: string): QueueRecord {
  return { recordId, groupId: userIdOf(message), body: encodeMessage(message), isRedelivered: false };
}

interface SubmissionChange extends Partial<Submission> {
  readonly type?: "deposit" | "withdrawal";
  readonly currency?: string;
  readonly amount?: string;
}

/** A deposit of alice's with something changed. */
export function submissionWith(change: SubmissionChange = {}): Submission {
  const { type = "deposit", currency = "USD", amount = "12.34", ...others } = change;
  return {
    userId: "alice",
    actor: "owner",
    idempotencyKey: "key-1",
    request: { type, currency, amount },
    reference: undefined,
    metadata: undefined,
    requestId: "request-1",
    ...others,
  };
}

/**
 * Runs the consumer on everything that was sent, each time that it was sent.
 *
 * @throws Error when the consumer failed a record
 */
export async function consumeSent(ports: InMemoryPorts): Promise<void> {
  const records = ports.sent.splice(0).map((message, index) => recordOf(message, `record-${index}`));
  const failed = await consume(records, ports);
  if (failed.length > 0) throw new Error(`The consumer failed ${failed.length} records`);
}
