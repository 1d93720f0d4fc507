import { balanceOf } from "../domain/state.ts";
import type { DecidedTransaction, Posting } from "../domain/transaction.ts";
import { momentBefore, type PastPorts, readAsOf, untilProved } from "./past.ts";
import { TransientError } from "./ports.ts";
import type { Position } from "./position.ts";

export interface StatementQuery {
  readonly currency: string;
  /** Only decisions of this time or later; from the first if absent. ISO 8601 with milliseconds, UTC. */
  readonly from: string | undefined;
  /** Only decisions before this time. ISO 8601 with milliseconds, UTC. */
  readonly to: string;
  /** Where the previous page ended. */
  readonly after: Position | undefined;
  /** Decisions of a page, 1 to 100. */
  readonly limit: number;
}

export interface StatementLine {
  readonly transaction: DecidedTransaction;
  readonly posting: Posting;
}

/** A page of a statement, in minor units: opening + credits − debits = closing. */
export interface Statement {
  readonly openingMinor: bigint;
  readonly creditsMinor: bigint;
  readonly debitsMinor: bigint;
  readonly closingMinor: bigint;
  /** The postings that change the balance, oldest first. */
  readonly lines: readonly StatementLine[];
  /** True if a decision that is being written can still change this page. */
  readonly isProvisional: boolean;
  /** Where this page ends; absent on the last page. */
  readonly end: Position | undefined;
}

/**
 * A page of a user's statement in one currency.
 *
 * @returns undefined if `after` is not a decision in the period of the user's history
 * @throws TransientError when the index lags for longer than the reader waits
 */
export async function readStatement(
  userId: string,
  { currency, from, to, after, limit }: StatementQuery,
  ports: PastPorts,
): Promise<Statement | undefined> {
  const end = await readAsOf(userId, momentBefore(to), ports);
  const isOutside =
    after && (after.sequence > end.wallet.sequence || after.decidedAt < (from ?? "") || after.decidedAt >= to);
  if (isOutside) return undefined;
  const startSequence = after?.sequence ?? (from === undefined ? 0 : await sequenceBefore(from));
  const size = Math.min(limit, Math.max(0, end.wallet.sequence - startSequence));
  const transactions = await readDecisions().catch(async (error: unknown) => {
    if (!(error instanceof TransientError) || !after || (await isDecision(after))) throw error;
    return undefined;
  });
  if (!transactions) return undefined;
  const last = transactions.at(-1);
  const isLastPage = startSequence + size >= end.wallet.sequence;

  const lines = transactions.flatMap((transaction) =>
    transaction.decision.postings
      .filter((posting) => posting.currency === currency && posting.amountMinor !== 0n)
      .map((posting) => ({ transaction, posting })),
  );
  const amountsMinor = lines.map(({ posting }) => posting.amountMinor);
  const creditsMinor = sum(amountsMinor.filter((minor) => minor > 0n));
  const debitsMinor = -sum(amountsMinor.filter((minor) => minor < 0n));
  const closingMinor = balanceOf(last?.decision ?? end.wallet, currency);
  return {
    openingMinor: closingMinor - creditsMinor + debitsMinor,
    creditsMinor,
    debitsMinor,
    closingMinor,
    lines,
    isProvisional: isLastPage && !end.isFinal,
    end: last && !isLastPage ? last.decision : undefined,
  };

  async function sequenceBefore(time: string): Promise<number> {
    return (await readAsOf(userId, momentBefore(time), ports)).wallet.sequence;
  }

  /** Whether the decision with this sequence number has this time: a cursor that no page had can't be continued. */
  async function isDecision({ decidedAt, sequence }: Position): Promise<boolean> {
    const { wallet } = await readAsOf(userId, decidedAt, ports);
    return (await sequenceBefore(decidedAt)) < sequence && sequence <= wallet.sequence;
  }

  /** The page's decisions, with none missing. */
  async function readDecisions(): Promise<readonly DecidedTransaction[]> {
    if (size === 0) return [];
    return untilProved(ports.clock, async () => {
      const query = { limit: size, order: "oldest first", from, to, after } as const;
      const { transactions } = await ports.store.readHistory(userId, query);
      const isComplete =
        transactions.length === size &&
        transactions.every(({ decision }, index) => decision.sequence === startSequence + 1 + index);
      return isComplete ? transactions : undefined;
    });
  }
}

function sum(amountsMinor: readonly bigint[]): bigint {
  return amountsMinor.reduce((total, minor) => total + minor, 0n);
}
