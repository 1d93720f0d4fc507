import { emptyWallet, fold } from "../domain/wallet.ts";
import type { Entry } from "./batch.ts";
import { type Clock, type CommitResult, type ConsumerObserver, type LedgerStore, TransientError } from "./ports.ts";

export interface CommitPorts {
  readonly store: LedgerStore;
  readonly clock: Clock;
  readonly observer: ConsumerObserver;
}

export type BatchResult = CommitResult | { readonly kind: "unavailable"; readonly detail: string };

/** Decides the commands of one or several users: one read of their wallets, one write of everything or nothing. */
export async function commitBatch(
  users: readonly (readonly Entry[])[],
  { store, clock, observer }: CommitPorts,
): Promise<BatchResult> {
  try {
    const wallets = await store.readWallets(users.map(userIdOf));
    const decidedAt = clock.now();
    const commits = users.map((entries) => {
      const userId = userIdOf(entries);
      const before = wallets.get(userId);
      const messages = entries.map(({ message }) => message);
      const { wallet, requiredMinor, decisions } = fold(
        before ?? emptyWallet,
        messages.map(({ command }) => command),
      );
      const decided = messages.flatMap((message, index) => {
        const decision = decisions[index];
        return decision ? [{ message, decision }] : [];
      });
      return { userId, before, wallet, requiredMinor, decided, decidedAt };
    });
    const result = await store.commit(commits);
    if (result.kind === "committed") {
      for (const { decided } of commits) observer.committed(decided, decidedAt);
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
