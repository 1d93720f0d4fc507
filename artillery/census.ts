import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { type Accepted, inParallel } from "./wallets.ts";

/** What became of the commands of a load, from the histories of all its users. */
export interface Census {
  readonly posted: number;
  readonly rejected: number;
  /** Locations of accepted commands that were not decided in time. */
  readonly undecided: readonly string[];
  /** Decided commands that nobody knows to be accepted: their answers never came. */
  readonly unanswered: number;
  /** Users whose history has a gap, or a command twice. */
  readonly broken: readonly string[];
  /** For every posted command from `createdAt` to `postedAt`, by the ledger's clocks, ascending. */
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
      postedAt: z.string().nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});
type Decided = z.infer<typeof pageSchema>["data"][number];

/**
 * Reads every user's history until each accepted command stands in it, or the time is over.
 *
 * @param locations of the accepted commands, in any order and as often as they were met
 */
export async function takeCensus(
  apiUrl: string,
  openings: readonly Accepted[],
  locations: Iterable<string>,
  waitMs: number,
): Promise<Census> {
  const accepted = new Set([...locations, ...openings.map(({ location }) => location)]);
  const byUser = Map.groupBy(accepted, (location) => location.slice(0, location.lastIndexOf("/")));
  const deadlineMs = Date.now() + waitMs;
  const users = await inParallel(openings, async ({ wallet, location }) => {
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

  const before = new Set(openings.map(({ location }) => location));
  const decisions = users.flatMap(({ collection, history }) =>
    history.filter(({ id }) => !before.has(`${collection}/${id}`)),
  );
  const posted = decisions.filter(({ status }) => status === "posted");
  return {
    posted: posted.length,
    rejected: decisions.length - posted.length,
    undecided: users.flatMap(({ undecided }) => undecided),
    unanswered: users.reduce((sum, { unanswered }) => sum + unanswered, 0),
    broken: users.filter(({ history }) => !isWhole(history)).map(({ userId }) => userId),
    acceptedToPostedMs: posted
      .map(({ createdAt, postedAt }) => Date.parse(postedAt ?? "") - Date.parse(createdAt))
      .sort((a, b) => a - b),
  };
}

/** Newest first, with every sequence number from the last down to 1, and each command once. */
function isWhole(history: readonly Decided[]): boolean {
  return (
    history.every(({ sequence }, index) => sequence === history.length - index) &&
    new Set(history.map(({ id }) => id)).size === history.length
  );
}

async function readHistory(url: string, token: string): Promise<Decided[]> {
  const history: Decided[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const query = new URLSearchParams({ limit: String(PAGE_LIMIT), ...(cursor && { cursor }) });
    const response = await fetch(`${url}?${query}`, { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
    const page: z.infer<typeof pageSchema> = pageSchema.parse(await response.json());
    history.push(...page.data);
    cursor = page.nextCursor;
  }
  return history;
}
