import { statusOf, type Transaction, type TransactionStatus } from "../domain/transaction.ts";
import { balanceOf, decide, emptyWallet, evolve, type Wallet } from "../domain/wallet.ts";
import { inParallel } from "./inParallel.ts";
import { UnreadableItem } from "./ports.ts";

/** Reads the whole ledger. A method for one user throws {@link UnreadableItem}. */
export interface LedgerReader {
  wallets(): AsyncIterable<{ readonly userId: string; readonly wallet: Wallet } | UnreadableItem>;
  /** Strongly consistent. */
  wallet(userId: string): Promise<Wallet | undefined>;
  /** One user's decided transactions by sequence: eventually consistent as a stream, or complete and strongly consistent. */
  history(userId: string): AsyncIterable<Transaction>;
  consistentHistory(userId: string): Promise<readonly Transaction[]>;
  /** Every transaction's user and status, in no order. */
  statuses(): AsyncIterable<{ readonly userId: string; readonly status: TransactionStatus } | UnreadableItem>;
}

interface Discrepancy {
  readonly userId: string;
  readonly detail: string;
}

export interface Verification {
  readonly wallets: number;
  readonly posted: number;
  readonly rejected: number;
  readonly pending: number;
  /** Minor units that all users hold together, by currency. */
  readonly totalsMinor: ReadonlyMap<string, bigint>;
  readonly discrepancies: readonly Discrepancy[];
}

/**
 * Recomputes every wallet from its history. Each transaction, decided again in the order of the sequence, must have the
 * recorded outcome, the sequence must have no gap, and the result must be the wallet. Commands can be decided meanwhile. An
 * item that can't be read is a discrepancy of its user, and the other users are still verified.
 */
export async function verify(reader: LedgerReader): Promise<Verification> {
  const totalsMinor = new Map<string, bigint>();
  const discrepancies: Discrepancy[] = [];
  const seen = new Set<string>();

  await inParallel(reader.wallets(), async (read) => {
    seen.add(read.userId);
    if (read instanceof UnreadableItem) {
      discrepancies.push(discrepancyOf(read));
      return;
    }
    const { userId, wallet } = read;
    for (const [currency, minor] of wallet.balances) {
      totalsMinor.set(currency, (totalsMinor.get(currency) ?? 0n) + minor);
    }
    discrepancies.push(...(await discrepanciesOf(userId, wallet, reader).catch(unreadableAsDiscrepancy)));
  });

  const counts = { posted: 0, rejected: 0, pending: 0 };
  const withoutWallet = new Set<string>();
  for await (const read of reader.statuses()) {
    if (read instanceof UnreadableItem) {
      const isKnown = discrepancies.some(({ userId, detail }) => userId === read.userId && detail === read.message);
      if (!isKnown) discrepancies.push(discrepancyOf(read));
      continue;
    }
    const { userId, status } = read;
    counts[status]++;
    if (status !== "pending" && !seen.has(userId)) withoutWallet.add(userId);
  }
  for (const userId of withoutWallet) {
    if (!(await reader.wallet(userId)))
      discrepancies.push({ userId, detail: "has decided transactions but no wallet" });
  }
  return { wallets: seen.size, ...counts, totalsMinor, discrepancies };
}

function discrepancyOf({ userId, message }: UnreadableItem): Discrepancy {
  return { userId, detail: message };
}

function unreadableAsDiscrepancy(error: unknown): Discrepancy[] {
  if (error instanceof UnreadableItem) return [discrepancyOf(error)];
  throw error;
}

async function discrepanciesOf(userId: string, wallet: Wallet, reader: LedgerReader): Promise<Discrepancy[]> {
  if ((await findDiscrepancy(wallet, reader.history(userId))) === undefined) return [];
  // The stream may lag, and the consumer may write meanwhile: only a consistent read of both can show a discrepancy.
  const before = (await reader.wallet(userId)) ?? emptyWallet;
  const transactions = await reader.consistentHistory(userId);
  const after = (await reader.wallet(userId)) ?? emptyWallet;
  const moved = after.sequence !== before.sequence;
  const known = transactions.filter(({ decision }) => !moved || (decision?.sequence ?? 0) <= before.sequence);
  const detail = await findDiscrepancy(before, known);
  return detail === undefined ? [] : [{ userId, detail }];
}

/** @returns the first discrepancy of a wallet, as a sentence that follows the user's name */
async function findDiscrepancy(
  wallet: Wallet,
  history: AsyncIterable<Transaction> | readonly Transaction[],
): Promise<string | undefined> {
  let folded = emptyWallet;
  for await (const transaction of history) {
    const wrong = findWrongDecision(folded, transaction);
    if (wrong) return wrong;
    folded = evolve(folded, decide(folded, transaction));
  }
  if (folded.sequence !== wallet.sequence) {
    return `has a wallet at sequence ${wallet.sequence} and a history that ends at ${folded.sequence}`;
  }
  for (const currency of new Set([...folded.balances.keys(), ...wallet.balances.keys()])) {
    const [holds, comesTo] = [balanceOf(wallet, currency), balanceOf(folded, currency)];
    if (holds !== comesTo) {
      return `holds ${holds} minor units of ${currency} where the history adds up to ${comesTo} (difference ${holds - comesTo})`;
    }
  }
  return undefined;
}

function findWrongDecision(before: Wallet, transaction: Transaction): string | undefined {
  const { id, decision } = transaction;
  const expected = decide(before, transaction);
  if (decision?.sequence !== expected.sequence) {
    return `has transaction ${id} at sequence ${decision?.sequence} where ${expected.sequence} is expected`;
  }
  const { status } = expected.outcome;
  if (statusOf(transaction) !== status) {
    return `has transaction ${id} (sequence ${expected.sequence}) ${statusOf(transaction)} where it should be ${status}`;
  }
  if (decision.balanceAfterMinor !== expected.balanceAfterMinor) {
    return `has transaction ${id} (sequence ${expected.sequence}) with a balance after it of ${decision.balanceAfterMinor} minor units where the history adds up to ${expected.balanceAfterMinor}`;
  }
  return undefined;
}
