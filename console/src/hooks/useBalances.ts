import { useEffect, useState } from "preact/hooks";
import type { Balances, Wallet } from "../../../packages/client/src/index.ts";
import { type Failure, failureOf } from "../logic/problem.ts";
import { usePoll } from "./usePoll.ts";

export interface LiveBalances {
  readonly balances: Balances | undefined;
  /** Why the last read did not succeed. */
  readonly failure: Failure | undefined;
  /** Reads them at once. */
  refresh(): void;
}

/** The balances of a wallet, updated as decisions arrive. */
export function useBalances(wallet: Wallet): LiveBalances {
  const { userId } = wallet;
  const [balances, setBalances] = useState<Balances>();
  const [failure, setFailure] = useState<Failure>();
  const refresh = usePoll(async (signal) => {
    try {
      const read = await wallet.balances({ signal });
      setFailure(undefined);
      setBalances((previous) => (isNewer(read, previous) ? read : previous));
      return isNewer(read, balances);
    } catch (error) {
      if (!signal.aborted) setFailure(failureOf(error));
      return false;
    }
  });
  useEffect(refresh, [userId]);
  return { balances: balances?.userId === userId ? balances : undefined, failure, refresh };
}

function isNewer(read: Balances, known: Balances | undefined): boolean {
  return read.userId !== known?.userId || read.sequence > known.sequence;
}
