import { setTimeout } from "node:timers/promises";
import type { Balance, Transaction } from "../packages/client/src/index.ts";
import { type AcceptedRequest, inParallel, locationOf, type Wallet, walletOf } from "./wallets.ts";

/** The outcomes of a load's commands, from the histories of all its users. */
export interface LoadOutcomes {
  readonly posted: number;
  readonly rejected: number;
  /** Locations of accepted commands that were not decided in time. */
  readonly undecided: readonly string[];
  /** Decided commands whose responses never arrived. */
  readonly unanswered: number;
  /** Users whose history has a gap, or contains a command twice. */
  readonly broken: readonly string[];
  /** From `createdAt` to `decidedAt` of every posted command, by the ledger's clocks. */
  readonly acceptedToPostedMs: readonly number[];
  /** From the decision of the sender to that of the receiver, of every credit. */
  readonly sentToCreditedMs: readonly number[];
  /** By currency. */
  readonly money: ReadonlyMap<string, Money>;
}

/** Minor units. */
export interface Money {
  /** The balances of all wallets. */
  readonly walletsMinor: bigint;
  /** What left one wallet and has not reached another one. */
  readonly inTransitMinor: bigint;
  /** What entered the ledger less what left it: deposits, withdrawals, captures without receiver, exchanges, their reversals. */
  readonly enteredMinor: bigint;
}

const POLL_MS = 500;
const PAGE_LIMIT = 100;

interface UserHistory {
  readonly userId: string;
  /** Newest first. */
  readonly history: readonly Transaction[];
}

/**
 * Reads every user's history until they contain each accepted command and no money is in transit, or until the wait is over.
 *
 * @param setup commands before the load
 * @param locations of the accepted commands, in any order, with duplicates
 */
export async function readOutcomes(
  apiUrl: string,
  wallets: readonly Wallet[],
  setup: readonly AcceptedRequest[],
  locations: Iterable<string>,
  waitMs: number,
): Promise<LoadOutcomes> {
  const before = new Set(setup.map(({ location }) => location));
  const accepted = new Set([...locations, ...before]);
  const readAll = () => inParallel(wallets, (wallet) => readUser(apiUrl, wallet));
  const undecidedIn = (users: readonly UserHistory[]) => {
    const decided = new Set(users.flatMap(({ history }) => history.map(locationOf)));
    return [...accepted].filter((location) => !decided.has(location));
  };
  const deadlineMs = Date.now() + waitMs;
  for (let isOver = false; !isOver && Date.now() < deadlineMs; await setTimeout(POLL_MS)) {
    const users = await readAll();
    isOver = undecidedIn(users).length === 0 && !users.some(({ history }) => history.some(isInTransit));
  }
  // The histories that were read first can lack the last credits.
  const users = await readAll();
  const balances = await inParallel(wallets, (wallet) => walletOf(apiUrl, wallet).balances());

  const decisions = users.flatMap(({ history }) =>
    history.flatMap((transaction) => {
      const location = locationOf(transaction);
      return before.has(location) ? [] : [{ ...transaction, isAnswered: accepted.has(location) }];
    }),
  );
  const [credits, commands] = [decisions.filter(isOfLedger), decisions.filter((each) => !isOfLedger(each))];
  const posted = commands.filter(({ status }) => status === "posted");
  return {
    posted: posted.length,
    rejected: commands.length - posted.length,
    undecided: undecidedIn(users),
    unanswered: commands.filter(({ isAnswered }) => !isAnswered).length,
    broken: users.filter(({ history }) => !isComplete(history)).map(({ userId }) => userId),
    acceptedToPostedMs: posted.map(delayMs),
    sentToCreditedMs: credits.map(delayMs),
    money: moneyOf(
      users.flatMap(({ history }) => history),
      balances.flatMap((wallet) => wallet.balances),
    ),
  };
}

function isOfLedger({ actor }: Transaction): boolean {
  return actor === "ledger";
}

function isInTransit(transaction: Transaction): boolean {
  return "transfer" in transaction && transaction.transfer?.status === "in_transit";
}

function delayMs({ createdAt, decidedAt }: Transaction): number {
  return Date.parse(decidedAt ?? "") - Date.parse(createdAt);
}

/** The money of all wallets by currency, from their whole histories. */
export function moneyOf(
  transactions: readonly Transaction[],
  balances: readonly Balance[],
): ReadonlyMap<string, Money> {
  const sums = new Map<string, { walletsMinor: bigint; inTransitMinor: bigint; enteredMinor: bigint }>();
  const sumsOf = (currency: string) => {
    const sum = sums.get(currency) ?? { walletsMinor: 0n, inTransitMinor: 0n, enteredMinor: 0n };
    sums.set(currency, sum);
    return sum;
  };
  for (const { currency, amount } of balances) sumsOf(currency).walletsMinor += minorOf(amount);
  for (const transaction of transactions) {
    const isBetweenWallets =
      transaction.type === "credit" || ("transfer" in transaction && transaction.transfer !== null);
    for (const { currency, amount } of transaction.postings) {
      if (isInTransit(transaction)) sumsOf(currency).inTransitMinor -= minorOf(amount);
      if (!isBetweenWallets) sumsOf(currency).enteredMinor += minorOf(amount);
    }
  }
  return sums;
}

/** All amounts of a currency have the same number of decimals. */
export function minorOf(amount: string): bigint {
  return BigInt(amount.replace(".", ""));
}

/** True for every sequence number from the last down to 1, newest first, with each command once. */
function isComplete(history: readonly Transaction[]): boolean {
  return (
    history.every(({ sequence }, index) => sequence === history.length - index) &&
    new Set(history.map(({ id }) => id)).size === history.length
  );
}

async function readUser(apiUrl: string, wallet: Wallet): Promise<UserHistory> {
  const { userId } = wallet;
  return { userId, history: await Array.fromAsync(walletOf(apiUrl, wallet).transactions({ limit: PAGE_LIMIT })) };
}
