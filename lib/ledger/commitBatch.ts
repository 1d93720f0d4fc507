import { earliestDecision, fold } from "../domain/decide.ts";
import { emptyWallet } from "../domain/state.ts";
import type { Entry } from "./batch.ts";
import {
  type Clock,
  type Commit,
  type CommitResult,
  type ConsumerObserver,
  type LedgerStore,
  TransientError,
} from "./ports.ts";

/** How far ahead of the consumer's clock a command or a wallet's last decision can be. */
export const CLOCK_AHEAD_MAX_MS = 5000;

export interface CommitPorts {
  readonly store: LedgerStore;
  readonly clock: Clock;
  readonly observer: ConsumerObserver;
}

export type BatchResult =
  | CommitResult
  | { readonly kind: "unavailable"; readonly detail: string }
  | { readonly kind: "clock_behind"; readonly detail: string };

/** Decides the commands of one or several users: one read of their wallets, one write of everything or nothing. */
export async function commitBatch(
  users: readonly (readonly Entry[])[],
  { store, clock, observer }: CommitPorts,
): Promise<BatchResult> {
  try {
    const wallets = await store.readWallets(users.map(userIdOf));
    const now = clock.now();
    const latestAllowed = new Date(now.getTime() + CLOCK_AHEAD_MAX_MS).toISOString();
    const commits: Commit[] = [];
    for (const entries of users) {
      const userId = userIdOf(entries);
      const before = wallets.get(userId);
      const start = before ?? emptyWallet;
      const messages = entries.map(({ message }) => message);
      const commands = messages.map(({ command }) => command);
      const ahead = commands.map((command) => earliestDecision(start, command)).find((time) => time > latestAllowed);
      if (ahead) return { kind: "clock_behind", detail: `the clock is behind ${ahead}` };
      const { decisions, ...folded } = fold(start, commands, now.toISOString());
      const decided = messages.flatMap((message, index) => {
        const decision = decisions[index];
        return decision ? [{ message, decision }] : [];
      });
      commits.push({ userId, before, ...folded, decided });
    }
    const result = await store.commit(commits);
    if (result.kind === "committed") {
      for (const { decided } of commits) observer.committed(decided);
    }
    return result;
  } catch (error) {
    if (error instanceof TransientError) return { kind: "unavailable", detail: error.message };
    throw error;
  }
}

export function userIdOf(entries: readonly Entry[]): string {
  return entries[0]?.message.command.userId ?? "";
}
