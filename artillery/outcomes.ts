import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { type AcceptedRequest, inParallel, type Wallet } from "./wallets.ts";

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

const transactionSchema = z.object({
  id: z.string(),
  type: z.string(),
  actor: z.string(),
  sequence: z.int(),
  status: z.enum(["posted", "rejected"]),
  createdAt: z.string(),
  decidedAt: z.string(),
  postings: z.array(z.object({ currency: z.string(), amount: z.string() })),
  transfer: z.object({ status: z.enum(["in_transit", "credited", "returned"]).nullable() }).nullish(),
});
const pageSchema = z.object({ data: z.array(transactionSchema), nextCursor: z.string().nullable() });
const balancesSchema = z.object({ balances: z.array(z.object({ currency: z.string(), amount: z.string() })) });
type DecidedTransaction = z.infer<typeof transactionSchema>;

interface UserHistory {
  readonly userId: string;
  readonly token: string;
  readonly collection: string;
  readonly history: readonly DecidedTransaction[];
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
    const decided = new Set(users.flatMap(({ collection, history }) => history.map(({ id }) => `${collection}/${id}`)));
    return [...accepted].filter((location) => !decided.has(location));
  };
  const deadlineMs = Date.now() + waitMs;
  for (let isOver = false; !isOver && Date.now() < deadlineMs; await setTimeout(POLL_MS)) {
    const users = await readAll();
    isOver = undecidedIn(users).length === 0 && !users.some(({ history }) => history.some(isInTransit));
  }
  // The histories that were read first can lack the last credits.
  const users = await readAll();
  const balances = await inParallel(users, readBalances);

  const decisions = users.flatMap(({ collection, history }) =>
    history.flatMap((transaction) => {
      const location = `${collection}/${transaction.id}`;
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
      balances.flat(),
    ),
  };

  async function readBalances({ userId, token }: UserHistory) {
    const url = `${apiUrl}/v1/users/${userId}/balances`;
    return balancesSchema.parse(await getJson(url, token)).balances;
  }
}

function isOfLedger({ actor }: DecidedTransaction): boolean {
  return actor === "ledger";
}

function isInTransit({ transfer }: Pick<DecidedTransaction, "transfer">): boolean {
  return transfer?.status === "in_transit";
}

function delayMs({ createdAt, decidedAt }: DecidedTransaction): number {
  return Date.parse(decidedAt) - Date.parse(createdAt);
}

/** The money of all wallets by currency, from their whole histories. */
export function moneyOf(
  transactions: readonly Pick<DecidedTransaction, "type" | "postings" | "transfer">[],
  balances: readonly { readonly currency: string; readonly amount: string }[],
): ReadonlyMap<string, Money> {
  const sums = new Map<string, { walletsMinor: bigint; inTransitMinor: bigint; enteredMinor: bigint }>();
  const sumsOf = (currency: string) => {
    const sum = sums.get(currency) ?? { walletsMinor: 0n, inTransitMinor: 0n, enteredMinor: 0n };
    sums.set(currency, sum);
    return sum;
  };
  for (const { currency, amount } of balances) sumsOf(currency).walletsMinor += minorOf(amount);
  for (const transaction of transactions) {
    const isBetweenWallets = transaction.type === "credit" || Boolean(transaction.transfer);
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
function isComplete(history: readonly DecidedTransaction[]): boolean {
  return (
    history.every(({ sequence }, index) => sequence === history.length - index) &&
    new Set(history.map(({ id }) => id)).size === history.length
  );
}

async function readUser(apiUrl: string, { userId, token }: Wallet): Promise<UserHistory> {
  const collection = `/v1/users/${userId}/transactions`;
  const history: DecidedTransaction[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const query = new URLSearchParams({ limit: String(PAGE_LIMIT), ...(cursor && { cursor }) });
    const page: z.infer<typeof pageSchema> = pageSchema.parse(await getJson(`${apiUrl}${collection}?${query}`, token));
    history.push(...page.data);
    cursor = page.nextCursor;
  }
  return { userId, token, collection, history };
}

async function getJson(url: string, token: string): Promise<unknown> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}
