import { emptyWallet, fold } from "../domain/wallet.ts";
import { contentOf, decodeMessage, type Message } from "./message.ts";
import {
  type Clock,
  type CommandQueue,
  type ConsumerObserver,
  type DeadLetterReason,
  type LedgerStore,
  type QueueRecord,
  Unavailable,
} from "./ports.ts";

export interface ConsumePorts {
  readonly store: LedgerStore;
  readonly queue: CommandQueue;
  readonly clock: Clock;
  readonly observer: ConsumerObserver;
}

/** Rounds of read, decide and write for one user in one delivery; what is left over comes back with the next one. */
const ATTEMPTS_MAX = 6;
const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 400;
/** No round starts later than this after the delivery, so that the function ends before its timeout. */
const DELIVERY_BUDGET_MS = 3500;

/** A command with every record that carried it: the queue may deliver one twice. */
interface Entry {
  readonly message: Message;
  readonly records: readonly QueueRecord[];
}

/**
 * Decides the commands of one delivery, the users side by side and each user's in order.
 *
 * @returns ids of the records that must be delivered again
 */
export async function consume(records: readonly QueueRecord[], ports: ConsumePorts): Promise<string[]> {
  const deadlineMs = ports.clock.now().getTime() + DELIVERY_BUDGET_MS;
  const { entriesByUser, refused } = group(records);
  const failed = await Promise.all([
    ...refused.map(({ record, reason }) => orFailed([record], ports, () => setAside([record], reason, "", ports))),
    settleAll(entriesByUser, deadlineMs, ports),
  ]);
  return failed.flat();
}

/** The users of a delivery share a read and a write. Where that does not come off, for whatever reason, each has its own. */
async function settleAll(
  users: readonly (readonly Entry[])[],
  deadlineMs: number,
  ports: ConsumePorts,
): Promise<string[]> {
  if (users.length > 1 && (await isSettledTogether(users, ports))) return [];
  const each = users.map((entries) =>
    orFailed(
      entries.flatMap((entry) => entry.records),
      ports,
      () => settle(entries, deadlineMs, ports),
    ),
  );
  return (await Promise.all(each)).flat();
}

/** Every way in which it does not come off is told as a retry: each user's own round is one. */
async function isSettledTogether(users: readonly (readonly Entry[])[], ports: ConsumePorts): Promise<boolean> {
  // Whose error it is meets it again alone, and nobody else does.
  const result = await decideAndCommit(users, ports).catch(
    (error: unknown) => ({ kind: "conflict", reason: String(error) }) as const,
  );
  if (result.kind === "committed") return true;
  const reason = "reason" in result ? result.reason : result.kind;
  const kind = result.kind === "unavailable" ? "unavailable" : "conflict";
  for (const entries of users) tellRetry(entries, { kind, reason }, ports);
  return false;
}

interface Grouped {
  readonly entriesByUser: Entry[][];
  /** Records that can't be decided, whatever the tables hold. */
  readonly refused: { readonly record: QueueRecord; readonly reason: DeadLetterReason }[];
}

function group(records: readonly QueueRecord[]): Grouped {
  const users = new Map<string, Map<string, Entry>>();
  const refused: Grouped["refused"] = [];
  for (const record of records) {
    const message = decodeMessage(record.body);
    const userId = message?.command.userId;
    if (!message || userId === undefined || userId !== record.groupId) {
      refused.push({ record, reason: message ? "group_mismatch" : "malformed" });
      continue;
    }
    const entries = users.get(userId) ?? new Map<string, Entry>();
    // Other content under the same id is no duplicate: dead-lettering it must not dead-letter the true message.
    const content = contentOf(message);
    const twin = entries.get(content);
    entries.set(
      content,
      twin ? { message: twin.message, records: [...twin.records, record] } : { message, records: [record] },
    );
    users.set(userId, entries);
  }
  return { entriesByUser: [...users.values()].map((entries) => [...entries.values()]), refused };
}

/** A failure stays with the records it belongs to. */
async function orFailed(
  records: readonly QueueRecord[],
  { observer }: ConsumePorts,
  work: () => Promise<void>,
): Promise<string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    const recordIds = records.map((record) => record.recordId);
    const requestIds = records.flatMap(({ body }) => decodeMessage(body)?.requestId ?? []);
    observer.failed(recordIds, error, requestIds);
    return recordIds;
  }
}

/**
 * Decides one user's commands: one read of the wallet, one write of everything.
 *
 * @throws Unavailable when it did not come to an end within its attempts and its time
 */
async function settle(entries: readonly Entry[], deadlineMs: number, ports: ConsumePorts): Promise<void> {
  // Where two records claim one transaction one of them is wrong, and one write does not take both.
  const ids = new Set(entries.map(({ message }) => message.command.id));
  if (ids.size < entries.length) return settleOneByOne(entries, "", deadlineMs, ports);
  let open = entries;
  let lastReason = "no time left";
  for (let attempt = 1; attempt <= ATTEMPTS_MAX && ports.clock.now().getTime() < deadlineMs; attempt++) {
    const result = await decideAndCommit([open], ports);
    switch (result.kind) {
      case "committed":
        return;
      case "mismatch": {
        const { settled, foreign } = result;
        for (const [id, reason] of foreign) {
          await setAside(open.find((entry) => entry.message.command.id === id)?.records ?? [], reason, id, ports);
        }
        open = open.filter(({ message: { command } }) => !settled.has(command.id) && !foreign.has(command.id));
        if (open.length === 0) return;
        break;
      }
      case "refused":
        return settleOneByOne(open, result.detail, deadlineMs, ports);
      case "conflict":
      case "unavailable":
        lastReason = result.reason;
        tellRetry(open, result, ports);
        await ports.clock.sleep(ports.clock.random() * Math.min(BACKOFF_FIRST_MS * 2 ** attempt, BACKOFF_MAX_MS));
    }
  }
  throw new Unavailable(`The commands of user ${userOf(open)} could not be decided: ${lastReason}`);
}

/** Finds the command that the store refuses, so that it does not hold up the user's others. */
async function settleOneByOne(
  entries: readonly Entry[],
  detail: string,
  deadlineMs: number,
  ports: ConsumePorts,
): Promise<void> {
  const [only, ...others] = entries;
  if (only && others.length === 0) return setAside(only.records, "refused_by_store", detail, ports);
  for (const entry of entries) await settle([entry], deadlineMs, ports);
}

/** Decides the commands of one or several users: one read of their wallets, one write of everything. */
async function decideAndCommit(users: readonly (readonly Entry[])[], { store, clock, observer }: ConsumePorts) {
  try {
    const wallets = await store.readWallets(users.map(userOf));
    const decidedAt = clock.now();
    const commits = users.map((entries) => {
      const userId = userOf(entries);
      const before = wallets.get(userId);
      const messages = entries.map(({ message }) => message);
      const { wallet, needMinor, decisions } = fold(
        before ?? emptyWallet,
        messages.map(({ command }) => command),
      );
      const decided = messages.flatMap((message, index) => {
        const decision = decisions[index];
        return decision ? [{ message, decision }] : [];
      });
      return { userId, before, wallet, needMinor, decided, decidedAt };
    });
    const result = await store.commit(commits);
    if (result.kind === "committed") {
      for (const { decided } of commits) observer.committed(decided, decidedAt);
    }
    return result;
  } catch (error) {
    if (error instanceof Unavailable) return { kind: "unavailable", reason: error.message } as const;
    throw error;
  }
}

function tellRetry(
  entries: readonly Entry[],
  { kind, reason }: { readonly kind: "conflict" | "unavailable"; readonly reason: string },
  { observer }: ConsumePorts,
): void {
  const requestIds = entries.map(({ message }) => message.requestId);
  observer.retried(userOf(entries), { cause: kind, detail: reason, requestIds });
}

async function setAside(
  records: readonly QueueRecord[],
  reason: DeadLetterReason,
  detail: string,
  { queue, observer }: ConsumePorts,
): Promise<void> {
  for (const record of records) {
    await queue.sendToDeadLetters(record, reason);
    observer.deadLettered(record, reason, detail);
  }
}

function userOf(entries: readonly Entry[]): string {
  return entries[0]?.message.command.userId ?? "";
}
