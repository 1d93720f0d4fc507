import { type Entry, groupByUser } from "./batch.ts";
import { CLOCK_AHEAD_MAX_MS, type CommitPorts, commitBatch, userIdOf } from "./commitBatch.ts";
import { decodeMessage } from "./message.ts";
import {
  type CommandQueue,
  type DeadLetterReason,
  type QueueRecord,
  type RetryCause,
  TransientError,
  UnsupportedMessage,
} from "./ports.ts";

export interface ConsumePorts extends CommitPorts {
  readonly queue: CommandQueue;
}

/** Rounds of read, decide and write for one user in one batch; after them the queue delivers the records again. */
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
export async function consume(records: readonly QueueRecord[], ports: ConsumePorts): Promise<string[]> {
  const deadlineMs = ports.clock.now().getTime() + BATCH_BUDGET_MS;
  const { users, undecidable, unsupported } = groupByUser(records);
  const failed = await Promise.all([
    ...undecidable.map(({ record, reason }) =>
      captureFailure([record], ports, () => deadLetter([record], reason, "", ports)),
    ),
    ...unsupported.map((group) =>
      captureFailure(group, ports, () =>
        Promise.reject(new UnsupportedMessage("The message is of another version or type")),
      ),
    ),
    processUsers(users, deadlineMs, ports),
  ]);
  return failed.flat();
}

/** The users of a batch share one read and one write. If these do not succeed, each user has its own. */
async function processUsers(
  users: readonly (readonly Entry[])[],
  deadlineMs: number,
  ports: ConsumePorts,
): Promise<string[]> {
  if (users.length > 1 && (await tryCommitBatch(users, ports))) return [];
  const failed = users.map((entries) =>
    captureFailure(
      entries.flatMap((entry) => entry.records),
      ports,
      () => processUser(entries, deadlineMs, ports),
    ),
  );
  return (await Promise.all(failed)).flat();
}

/** A shared write that does not succeed is reported as a retry of each user: the user's own round is one. */
async function tryCommitBatch(users: readonly (readonly Entry[])[], ports: ConsumePorts): Promise<boolean> {
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
 * Decides one user's commands: one read of the wallet, one write of everything. Where the store rejects the write, the
 * commands are written one by one, so that the invalid one does not block the others.
 *
 * @throws TransientError when attempts or time run out
 */
async function processUser(entries: readonly Entry[], deadlineMs: number, ports: ConsumePorts): Promise<void> {
  // Of two messages for one transaction one is forged, and one write does not accept both.
  const ids = new Set(entries.map(({ message }) => message.command.id));
  const parts = ids.size < entries.length ? entries.map((entry) => [entry]) : [entries];
  for (let part = parts.shift(); part; part = parts.shift()) {
    const invalid = await commitWithRetries(part, deadlineMs, ports);
    if (!invalid) continue;
    const [first, ...others] = invalid.entries;
    if (first && others.length === 0) await deadLetter(first.records, "invalid_write", invalid.detail, ports);
    else parts.unshift(...invalid.entries.map((entry) => [entry]));
  }
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
  ports: ConsumePorts,
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
          ({ message: { command } }) => !result.alreadyDecided.has(command.id) && !result.notAccepted.has(command.id),
        );
        break;
      case "clock_behind": {
        const notAccepted = await findNotAccepted(remaining, ports);
        await deadLetterNotAccepted(remaining, notAccepted, ports);
        remaining = remaining.filter(({ message }) => !notAccepted.has(message.command.id));
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
  ports: ConsumePorts,
): Promise<string> {
  reportRetry(entries, kind, detail, ports);
  await ports.clock.sleep(ports.clock.random() * Math.min(BACKOFF_FIRST_MS * 2 ** attempt, BACKOFF_MAX_MS));
  return detail;
}

/** Which commands that are ahead of the clock were never accepted: a forged time must not block the user's commands. */
async function findNotAccepted(
  entries: readonly Entry[],
  { store, clock }: ConsumePorts,
): Promise<ReadonlyMap<string, DeadLetterReason>> {
  const notAccepted = new Map<string, DeadLetterReason>();
  for (const { message } of entries) {
    const { id, userId, createdAt } = message.command;
    if (Date.parse(createdAt) <= clock.now().getTime() + CLOCK_AHEAD_MAX_MS) continue;
    const stored = await store.findTransaction(userId, id);
    if (!stored) notAccepted.set(id, "unknown_transaction");
    else if (stored.contentHash !== message.contentHash) notAccepted.set(id, "content_mismatch");
  }
  return notAccepted;
}

async function deadLetterNotAccepted(
  entries: readonly Entry[],
  notAccepted: ReadonlyMap<string, DeadLetterReason>,
  ports: ConsumePorts,
): Promise<void> {
  for (const { message, records } of entries) {
    const reason = notAccepted.get(message.command.id);
    if (reason) await deadLetter(records, reason, message.command.id, ports);
  }
}

/** @returns ids of the records if the work fails */
async function captureFailure(
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

function reportRetry(entries: readonly Entry[], cause: RetryCause, detail: string, { observer }: ConsumePorts): void {
  const requestIds = entries.map(({ message }) => message.requestId);
  observer.retried(userIdOf(entries), { cause, detail, requestIds });
}

async function deadLetter(
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
