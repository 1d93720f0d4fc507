import { refersToOf } from "../domain/command.ts";
import { canEmit } from "../domain/emitted.ts";
import { isDecided } from "../domain/transaction.ts";
import { type Entry, groupByUser, type Undecidable } from "./batch.ts";
import { CLOCK_AHEAD_MAX_MS, type CommitPorts, commitBatch, userIdOf } from "./commitBatch.ts";
import { encodeMessage } from "./message.ts";
import {
  COMMIT_ITEMS_MAX,
  type DeadLetterReason,
  type QueueRecord,
  type RetryCause,
  TransientError,
  UnsupportedMessage,
} from "./ports.ts";

/** Rounds of read, decide and write for one part in one batch; after them the queue delivers the records again. */
const ATTEMPTS_MAX = 6;
const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 400;
/** No round starts later than this after the delivery, so that the function ends before its timeout. */
const BATCH_BUDGET_MS = 3500;

/**
 * Decides the commands of one batch, the users in parallel and each user's in order.
 *
 * @returns ids of the records that must be delivered again
 */
export async function consume(records: readonly QueueRecord[], ports: CommitPorts): Promise<string[]> {
  const deadlineMs = ports.clock.now().getTime() + BATCH_BUDGET_MS;
  const { users, undecidable, unsupported } = groupByUser(records);
  const failed = await Promise.all([
    ...undecidable.map((each) => deadLetterUndecidable(each, ports)),
    processUsers(users, deadlineMs, ports),
  ]);
  const otherVersion = new UnsupportedMessage("The message is of another version or type");
  for (const group of unsupported) failed.push(fail(group, otherVersion, [], ports));
  return [...new Set(failed.flat())];
}

/** The users of a batch share one read and one write. If these do not succeed, each user has its own. */
async function processUsers(
  delivered: readonly (readonly Entry[])[],
  deadlineMs: number,
  ports: CommitPorts,
): Promise<string[]> {
  const users = await withoutDecided(delivered, ports);
  const items = users.flat().reduce((sum, entry) => sum + itemsOf(entry), users.length * WALLET_ITEMS);
  if (users.length > 1 && items <= COMMIT_ITEMS_MAX && (await tryCommitBatch(users, ports))) return [];
  const failed = users.map((entries) => processUser(entries, deadlineMs, ports));
  return (await Promise.all(failed)).flat();
}

/** Leaves out what an earlier delivery decided: a write of it would fail as a whole. */
async function withoutDecided(
  users: readonly (readonly Entry[])[],
  { store }: CommitPorts,
): Promise<readonly (readonly Entry[])[]> {
  const again = users.flat().filter(({ records }) => records.some(({ isRedelivered }) => isRedelivered));
  if (again.length === 0) return users;
  const keys = new Map(again.map(({ command: { userId, id } }) => [JSON.stringify([userId, id]), { userId, id }]));
  // Without an answer, the write finds out.
  const found = await store.findTransactions([...keys.values()]).catch(() => []);
  const decided = new Set(found.filter(isDecided).map(({ contentHash }) => contentHash));
  const remaining = users.map((entries) => entries.filter(({ contentHash }) => !decided.has(contentHash)));
  return remaining.filter((entries) => entries.length > 0);
}

/** A shared write that does not succeed is reported as a retry of each user: the user's own round is one. */
async function tryCommitBatch(users: readonly (readonly Entry[])[], ports: CommitPorts): Promise<boolean> {
  // The user whose data causes an error meets it again alone, and no other user does.
  const result = await commitBatch(users, ports).catch((error: unknown) => ({
    kind: "error" as const,
    detail: String(error),
  }));
  if (result.kind === "committed") return true;
  for (const entries of users) reportRetry(entries, result.kind, "detail" in result ? result.detail : "", ports);
  return false;
}

/**
 * Decides one user's commands, in as many writes as they need. Where the store rejects a write, its two halves are written,
 * until an invalid command is alone: it is dead-lettered and does not block the others.
 *
 * @returns ids of the records whose commands are not all decided
 */
async function processUser(entries: readonly Entry[], deadlineMs: number, ports: CommitPorts): Promise<string[]> {
  const parts = partsOf(entries);
  let part: readonly Entry[] | undefined;
  try {
    for (part = parts.shift(); part; part = parts.shift()) {
      const invalid = await commitWithRetries(part, deadlineMs, ports);
      const [first, ...others] = invalid?.entries ?? [];
      if (!invalid || !first) continue;
      const middle = (others.length + 1) >> 1;
      if (others.length === 0) await deadLetter(first, "invalid_write", invalid.detail, ports);
      else parts.unshift(invalid.entries.slice(0, middle), invalid.entries.slice(middle));
    }
    return [];
  } catch (error) {
    const undecided = [...(part ?? []), ...parts.flat()];
    const records = new Set(undecided.flatMap((entry) => entry.records));
    const requestIds = new Set(undecided.map(({ requestId }) => requestId));
    return fail([...records], error, [...requestIds], ports);
  }
}

/**
 * The commands in order, by what one write holds. Of two commands with one id one is forged, and one write does not accept
 * both.
 */
function partsOf(entries: readonly Entry[]): (readonly Entry[])[] {
  const parts: Entry[][] = [];
  let part: Entry[] = [];
  let items = COMMIT_ITEMS_MAX;
  for (const entry of entries) {
    const own = itemsOf(entry);
    if (items + own > COMMIT_ITEMS_MAX || part.some(({ command }) => command.id === entry.command.id)) {
      part = [];
      parts.push(part);
      items = WALLET_ITEMS;
    }
    part.push(entry);
    items += own;
  }
  return parts;
}

const WALLET_ITEMS = 1;

/** The most items that a decision writes besides the wallet: the transaction, and what it refers to and emits. */
function itemsOf({ command }: Entry): number {
  return 1 + (refersToOf(command) === undefined ? 0 : 1) + (canEmit(command) ? 1 : 0);
}

interface InvalidWrite {
  readonly entries: readonly Entry[];
  readonly detail: string;
}

/**
 * @returns what the store will never write, if anything
 * @throws TransientError when attempts or time run out
 */
async function commitWithRetries(
  entries: readonly Entry[],
  deadlineMs: number,
  ports: CommitPorts,
): Promise<InvalidWrite | undefined> {
  let remaining = entries;
  let lastDetail = "no time left";
  for (let attempt = 1; attempt <= ATTEMPTS_MAX && ports.clock.now().getTime() < deadlineMs; attempt++) {
    const result = await commitBatch([remaining], ports);
    switch (result.kind) {
      case "committed":
        return undefined;
      case "invalid_write":
        return { entries: remaining, detail: result.detail };
      case "precondition_failed":
        await deadLetterNotAccepted(remaining, result.notAccepted, ports);
        remaining = remaining.filter(
          ({ command }) => !result.alreadyDecided.has(command.id) && !result.notAccepted.has(command.id),
        );
        break;
      case "clock_behind": {
        const notAccepted = await findNotAccepted(remaining, ports);
        await deadLetterNotAccepted(remaining, notAccepted, ports);
        remaining = remaining.filter(({ command }) => !notAccepted.has(command.id));
        if (notAccepted.size === 0) lastDetail = await pause(remaining, attempt, result, ports);
        break;
      }
      case "conflict":
      case "unavailable":
        lastDetail = await pause(remaining, attempt, result, ports);
    }
    if (remaining.length === 0) return undefined;
  }
  throw new TransientError(`The commands of user ${userIdOf(remaining)} could not be decided: ${lastDetail}`);
}

async function pause(
  entries: readonly Entry[],
  attempt: number,
  { kind, detail }: { readonly kind: RetryCause; readonly detail: string },
  ports: CommitPorts,
): Promise<string> {
  reportRetry(entries, kind, detail, ports);
  await ports.clock.sleep(ports.clock.random() * Math.min(BACKOFF_FIRST_MS * 2 ** attempt, BACKOFF_MAX_MS));
  return detail;
}

/** Which commands that are ahead of the clock were never accepted: a forged time must not block the user's commands. */
async function findNotAccepted(
  entries: readonly Entry[],
  { store, clock }: CommitPorts,
): Promise<ReadonlyMap<string, DeadLetterReason>> {
  const notAccepted = new Map<string, DeadLetterReason>();
  for (const { command, contentHash } of entries) {
    const { id, userId, createdAt } = command;
    if (Date.parse(createdAt) <= clock.now().getTime() + CLOCK_AHEAD_MAX_MS) continue;
    const stored = await store.findTransaction(userId, id);
    if (!stored) notAccepted.set(id, "unknown_transaction");
    else if (stored.contentHash !== contentHash) notAccepted.set(id, "content_mismatch");
  }
  return notAccepted;
}

async function deadLetterNotAccepted(
  entries: readonly Entry[],
  notAccepted: ReadonlyMap<string, DeadLetterReason>,
  ports: CommitPorts,
): Promise<void> {
  for (const entry of entries) {
    const { id } = entry.command;
    const reason = notAccepted.get(id);
    if (reason) await deadLetter(entry, reason, id, ports);
  }
}

function reportRetry(entries: readonly Entry[], cause: RetryCause, detail: string, { observer }: CommitPorts): void {
  const requestIds = entries.map(({ requestId }) => requestId);
  observer.retried(userIdOf(entries), { cause, detail, requestIds });
}

/** @returns ids of the records */
function fail(
  records: readonly QueueRecord[],
  error: unknown,
  requestIds: readonly string[],
  { observer }: CommitPorts,
): string[] {
  const recordIds = records.map(({ recordId }) => recordId);
  observer.failed(recordIds, error, requestIds);
  return recordIds;
}

/** @returns the id of the record if that fails */
async function deadLetterUndecidable(
  { record, command, requestId, reason }: Undecidable,
  ports: CommitPorts,
): Promise<string[]> {
  try {
    const body = command ? encodeMessage({ commands: [command], requestId }) : record.body;
    await sendToDeadLetters({ ...record, body }, reason, "", ports);
    return [];
  } catch (error) {
    return fail([record], error, [requestId], ports);
  }
}

/** Dead-letters a command without the others of its records. */
async function deadLetter(
  { command, records }: Entry,
  reason: DeadLetterReason,
  detail: string,
  ports: CommitPorts,
): Promise<void> {
  for (const { requestId, ...record } of records) {
    const body = encodeMessage({ commands: [command], requestId });
    await sendToDeadLetters({ ...record, body }, reason, detail, ports);
  }
}

async function sendToDeadLetters(
  record: QueueRecord,
  reason: DeadLetterReason,
  detail: string,
  { queue, observer }: CommitPorts,
): Promise<void> {
  await queue.sendToDeadLetters(record, reason);
  observer.deadLettered(record, reason, detail);
}
