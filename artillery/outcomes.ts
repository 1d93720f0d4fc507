import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { type AcceptedRequest, inParallel } from "./wallets.ts";

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
}

const POLL_MS = 500;
const PAGE_LIMIT = 100;

const pageSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      sequence: z.int(),
      status: z.enum(["posted", "rejected"]),
      createdAt: z.string(),
      decidedAt: z.string(),
    }),
  ),
  nextCursor: z.string().nullable(),
});
type DecidedTransaction = z.infer<typeof pageSchema>["data"][number];

/**
 * Reads every user's history until it contains each accepted command, or until the wait is over.
 *
 * @param locations of the accepted commands, in any order, with duplicates
 */
export async function readOutcomes(
  apiUrl: string,
  firstDeposits: readonly AcceptedRequest[],
  locations: Iterable<string>,
  waitMs: number,
): Promise<LoadOutcomes> {
  const accepted = new Set([...locations, ...firstDeposits.map(({ location }) => location)]);
  const byUser = Map.groupBy(accepted, (location) => location.slice(0, location.lastIndexOf("/")));
  const deadlineMs = Date.now() + waitMs;
  const users = await inParallel(firstDeposits, async ({ wallet, location }) => {
    const collection = location.slice(0, location.lastIndexOf("/"));
    const expected = byUser.get(collection) ?? [];
    for (;;) {
      const history = await readHistory(apiUrl + collection, wallet.token);
      const decided = new Set(history.map(({ id }) => `${collection}/${id}`));
      const undecided = expected.filter((each) => !decided.has(each));
      if (undecided.length === 0 || Date.now() > deadlineMs) {
        const unanswered = [...decided].filter((each) => !accepted.has(each)).length;
        return { userId: wallet.userId, collection, history, undecided, unanswered };
      }
      await setTimeout(POLL_MS);
    }
  });

  const before = new Set(firstDeposits.map(({ location }) => location));
  const decisions = users.flatMap(({ collection, history }) =>
    history.filter(({ id }) => !before.has(`${collection}/${id}`)),
  );
  const posted = decisions.filter(({ status }) => status === "posted");
  return {
    posted: posted.length,
    rejected: decisions.length - posted.length,
    undecided: users.flatMap(({ undecided }) => undecided),
    unanswered: users.reduce((sum, { unanswered }) => sum + unanswered, 0),
    broken: users.filter(({ history }) => !isComplete(history)).map(({ userId }) => userId),
    acceptedToPostedMs: posted.map(({ createdAt, decidedAt }) => Date.parse(decidedAt) - Date.parse(createdAt)),
  };
}

/** True for every sequence number from the last down to 1, newest first, with each command once. */
function isComplete(history: readonly DecidedTransaction[]): boolean {
  return (
    history.every(({ sequence }, index) => sequence === history.length - index) &&
    new Set(history.map(({ id }) => id)).size === history.length
  );
}

async function readHistory(url: string, token: string): Promise<DecidedTransaction[]> {
  const history: DecidedTransaction[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const query = new URLSearchParams({ limit: String(PAGE_LIMIT), ...(cursor && { cursor }) });
    const response = await fetch(`${url}?${query}`, { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${await response.text()}`);
    const page: z.infer<typeof pageSchema> = pageSchema.parse(await response.json());
    history.push(...page.data);
    cursor = page.nextCursor;
  }
  return history;
}
