import { isDeepStrictEqual } from "node:util";
import { refersToOf } from "../domain/command.ts";
import { earliestDecision, type Fold, fold, initialRemainder } from "../domain/decide.ts";
import { emittedBy } from "../domain/emitted.ts";
import { emptyWallet, type State, type Wallet } from "../domain/state.ts";
import { isDecided, type Transaction } from "../domain/transaction.ts";
import type { Entry } from "./batch.ts";
import { messagesOf } from "./message.ts";
import {
  type Clock,
  type CommandQueue,
  type Commit,
  type CommitResult,
  type ConsumerObserver,
  type Decided,
  type LedgerStore,
  type ReferredChange,
  TransientError,
} from "./ports.ts";

/** How far ahead of the consumer's clock a command or a wallet's last decision can be. */
export const CLOCK_AHEAD_MAX_MS = 5000;

export interface CommitPorts {
  readonly store: LedgerStore;
  readonly queue: CommandQueue;
  readonly clock: Clock;
  readonly observer: ConsumerObserver;
}

export type BatchResult =
  | CommitResult
  | { readonly kind: "unavailable"; readonly detail: string }
  | { readonly kind: "clock_behind"; readonly detail: string };

/**
 * Decides the commands of one or several users: one read of their wallets, one of the transactions that the commands refer
 * to, and one write of everything or nothing. Then sends the credits that the decisions emitted.
 */
export async function commitBatch(users: readonly (readonly Entry[])[], ports: CommitPorts): Promise<BatchResult> {
  const { store, clock, observer } = ports;
  try {
    const wallets = await store.readWallets(users.map(userIdOf));
    const referred = await readReferred(users, store);
    const now = clock.now();
    const latestAllowed = new Date(now.getTime() + CLOCK_AHEAD_MAX_MS).toISOString();
    const commits: Commit[] = [];
    for (const entries of users) {
      const before = wallets.get(userIdOf(entries));
      const start = { wallet: before ?? emptyWallet, referred: referred.get(userIdOf(entries)) ?? new Map() };
      const commands = entries.map(({ command }) => command);
      const ahead = commands
        .map((command) => earliestDecision(start.wallet, command))
        .find((time) => time > latestAllowed);
      if (ahead) return { kind: "clock_behind", detail: `the clock is behind ${ahead}` };
      commits.push(commitOf(entries, before, start, fold(start, commands, now.toISOString())));
    }
    const result = await store.commit(commits);
    if (result.kind === "committed") {
      for (const commit of commits) observer.committed(commit);
      await sendEmitted(commits, ports);
    }
    return result;
  } catch (error) {
    if (error instanceof TransientError) return { kind: "unavailable", detail: error.message };
    throw error;
  }
}

/** What the users' commands refer to, by user and id. */
async function readReferred(
  users: readonly (readonly Entry[])[],
  store: LedgerStore,
): Promise<ReadonlyMap<string, State["referred"]>> {
  const keys = users.flatMap((entries) => {
    const ids = new Set(entries.flatMap(({ command }) => refersToOf(command) ?? []));
    return [...ids].map((id) => ({ userId: userIdOf(entries), id }));
  });
  const found = keys.length > 0 ? await store.findTransactions(keys) : [];
  const byUser = Map.groupBy(found, ({ userId }) => userId);
  return new Map([...byUser].map(([userId, own]) => [userId, new Map(own.map((each) => [each.id, each]))]));
}

/** The write of a user's decisions. Whatever they change of one transaction is in one place. */
export function commitOf(
  entries: readonly Entry[],
  before: Wallet | undefined,
  start: State,
  { state, decisions, ...required }: Fold,
): Commit {
  const decided = entries.flatMap(({ command, contentHash, requestId }, index): Decided[] => {
    const decision = decisions[index];
    if (!decision) return [];
    const own = state.referred.get(command.id);
    const remainder = own ? own.remainder : initialRemainder(command, decision);
    return [{ command, contentHash, requestId, decision, emitted: emittedBy(command, decision), remainder }];
  });
  const ids = new Set(decided.map(({ command }) => command.id));
  const referred = [...start.referred.values()].filter(({ id }) => !ids.has(id));
  const changes = referred.flatMap((transaction) => changeOf(transaction, state.referred.get(transaction.id)));
  return { userId: userIdOf(entries), before, wallet: state.wallet, ...required, decided, referred: changes };
}

function changeOf(before: Transaction, after: Transaction | undefined): ReferredChange[] {
  const isChanged = after?.remainder && isDecided(before) && !isDeepStrictEqual(after.remainder, before.remainder);
  return isChanged ? [{ before, after: after.remainder }] : [];
}

/** A credit that can't be sent now is sent by the sweep: it never fails the command that emitted it. */
async function sendEmitted(commits: readonly Commit[], { queue, observer }: CommitPorts): Promise<void> {
  const emitted = commits.flatMap(({ decided }) =>
    decided.flatMap(({ emitted, requestId }) => (emitted ? [{ command: emitted, requestId }] : [])),
  );
  if (emitted.length === 0) return;
  const unsent = await queue.sendAll(messagesOf(emitted));
  for (const [{ commands }, error] of unsent) observer.unsent(commands, error);
}

export function userIdOf(entries: readonly Entry[]): string {
  return entries[0]?.command.userId ?? "";
}
