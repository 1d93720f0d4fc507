import { useEffect, useRef, useState } from "preact/hooks";
import type { Transaction, Wallet } from "../../../packages/client/src/index.ts";
import { isUnsettled } from "../logic/describe.ts";
import { type Filters, hasFilters, historyQuery, writeFilters } from "../logic/filters.ts";
import { findNew, mergeHistory } from "../logic/history.ts";
import { type Failure, failureOf } from "../logic/problem.ts";
import { usePoll } from "./usePoll.ts";

export interface History {
  readonly transactions: readonly Transaction[];
  /** Those that arrived last while the page was open. */
  readonly arrived: readonly Transaction[];
  readonly failure: Failure | undefined;
  readonly isReading: boolean;
  readonly hasMore: boolean;
  readMore(): void;
}

interface State {
  readonly transactions: readonly Transaction[];
  readonly arrived: readonly Transaction[];
  /** Where the next page starts; null after the last one, absent before the first. */
  readonly cursor?: string | null | undefined;
}

const EMPTY: State = { transactions: [], arrived: [] };
const PAGE = 25;
/** The index can lag behind the balances by about a second, and show a decision before the one before it. */
const ROUNDS_MAX = 4;
const IN_TRANSIT_MAX = 10;

/**
 * The history of a wallet: pages on demand, and what arrives meanwhile.
 *
 * @param sequence that of the wallet's last decision, as the balances have it
 */
export function useHistory(wallet: Wallet, filters: Filters, sequence: number | undefined): History {
  const key = `${wallet.userId}${writeFilters(filters)}`;
  const [{ state, of }, setAll] = useState({ state: EMPTY, of: key });
  const [failure, setFailure] = useState<Failure>();
  const [reading, setReading] = useState<string>();
  const current = of === key ? state : EMPTY;

  const latestKey = useRef(key);
  latestKey.current = key;
  /** Ignores what was read for other filters than the current ones. */
  const update = (change: (state: State) => State) => {
    if (latestKey.current !== key) return;
    setAll((previous) => ({ state: change(previous.of === key ? previous.state : EMPTY), of: key }));
  };

  async function readMore(signal?: AbortSignal) {
    setReading(key);
    setFailure(undefined);
    try {
      const page = await readPage(wallet, filters, current.cursor ?? undefined, signal);
      update(({ transactions, arrived }) => ({
        transactions: mergeHistory(transactions, page.data),
        arrived,
        cursor: page.nextCursor,
      }));
    } catch (error) {
      if (!signal?.aborted) setFailure(failureOf(error));
    }
    setReading((was) => (was === key ? undefined : was));
  }

  useEffect(() => {
    const controller = new AbortController();
    void readMore(controller.signal);
    return () => controller.abort();
  }, [key]);

  const isStarted = current.cursor !== undefined;
  const newest = current.transactions[0];
  const followed = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (!isStarted || sequence === undefined) return;
    const isFollowed = followed.current === key;
    followed.current = key;
    if ((newest?.sequence ?? 0) >= sequence) return;
    // The newest decision often does not match the filters, and the first page has those that do.
    if (!isFollowed && hasFilters(filters)) return;
    const controller = new AbortController();
    const { signal } = controller;
    void readArrived(wallet, filters, { newest, sequence, signal }, (read) =>
      update(({ transactions, ...rest }) => {
        const arrived = findNew(transactions, read);
        return arrived.length === 0
          ? { transactions, ...rest }
          : { ...rest, arrived, transactions: mergeHistory(transactions, read) };
      }),
    );
    return () => controller.abort();
  }, [isStarted, sequence, key]);

  const inTransit = current.transactions.filter(isUnsettled).slice(0, IN_TRANSIT_MAX);
  usePoll(async (signal) => {
    const read = await Promise.all(inTransit.map(({ id }) => wallet.transaction(id, { signal })));
    const settled = read.flatMap((each) => ("userId" in each && !isUnsettled(each) ? [each] : []));
    if (settled.length === 0) return false;
    update(({ transactions, ...rest }) => ({ ...rest, transactions: mergeHistory(transactions, settled) }));
    return true;
  }, inTransit.length > 0);

  return {
    transactions: current.transactions,
    arrived: current.arrived,
    failure,
    isReading: reading === key,
    hasMore: current.cursor !== null,
    readMore: () => void readMore(),
  };
}

/** With filters a page can be empty before the last one. */
async function readPage(wallet: Wallet, filters: Filters, from: string | undefined, signal: AbortSignal | undefined) {
  const query = { ...historyQuery(filters), limit: PAGE, signal };
  let page = await wallet.transactions({ ...query, cursor: from }).page();
  while (page.data.length === 0 && page.nextCursor !== null) {
    page = await wallet.transactions({ ...query, cursor: page.nextCursor }).page();
  }
  return page;
}

interface Arrival {
  readonly newest: Transaction | undefined;
  readonly sequence: number;
  readonly signal: AbortSignal;
}

/** Reads what was decided since the newest known transaction. What fails is read at the next change. */
async function readArrived(
  wallet: Wallet,
  filters: Filters,
  { newest, sequence, signal }: Arrival,
  onRead: (transactions: readonly Transaction[]) => void,
): Promise<void> {
  const query = historyQuery(filters);
  const from = newest?.decidedAt ?? query.from;
  if (query.to !== undefined && from !== undefined && from >= query.to) return;
  for (let round = 1; round <= ROUNDS_MAX && !signal.aborted; round++) {
    const read: Transaction[] = [];
    try {
      for await (const each of wallet.transactions({ ...query, from, limit: 100, signal })) read.push(each);
    } catch {
      return;
    }
    if (signal.aborted) return;
    onRead(read);
    const known = newest?.sequence ?? 0;
    const arrived = read.filter((each) => (each.sequence ?? 0) > known);
    if (!hasFilters(filters) && arrived.length >= sequence - known) return;
    await new Promise((resolve) => setTimeout(resolve, round * 500));
  }
}
