import { emptyWallet, fold } from "../domain/wallet.ts";
import { decodeMessage, type Message } from "./message.ts";
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
  const { entriesByUser, malformed } = group(records);
  const failed = await Promise.all([
    ...malformed.map((record) => orFailed([record], ports, () => setAside([record], "malformed", "", ports))),
    ...entriesByUser.map((entries) =>
      orFailed(
        entries.flatMap((entry) => entry.records),
        ports,
        () => settle(entries, deadlineMs, ports),
      ),
    ),
  ]);
  return failed.flat();
}

function group(records: readonly QueueRecord[]): { entriesByUser: Entry[][]; malformed: QueueRecord[] } {
  const users = new Map<string, Map<string, Entry>>();
  const malformed: QueueRecord[] = [];
  for (const record of records) {
    const message = decodeMessage(record.body);
    if (!message) {
      malformed.push(record);
      continue;
    }
    const { userId, id } = message.command;
    const entries = users.get(userId) ?? new Map<string, Entry>();
    // A record of other content under the same id is no twin: it must not take the right one along when it is set aside.
    const content = `${id} ${message.fingerprint}`;
    const twin = entries.get(content);
    entries.set(
      content,
      twin ? { message: twin.message, records: [...twin.records, record] } : { message, records: [record] },
    );
    users.set(userId, entries);
  }
  return { entriesByUser: [...users.values()].map((entries) => [...entries.values()]), malformed };
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
    const result = await decideAndCommit(open, ports);
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
        ports.observer.retried(userOf(open), {
          cause: result.kind,
          detail: result.reason,
          requestIds: open.map(({ message }) => message.requestId),
        });
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

async function decideAndCommit(entries: readonly Entry[], { store, clock, observer }: ConsumePorts) {
  const userId = userOf(entries);
  try {
    const before = await store.readWallet(userId);
    const folded = fold(
      before ?? emptyWallet,
      entries.map(({ message }) => message.command),
    );
    const fingerprints = new Map(entries.map(({ message }) => [message.command.id, message.fingerprint]));
    const decidedAt = clock.now();
    const result = await store.commit({ userId, before, fold: folded, fingerprints, decidedAt });
    if (result.kind === "committed") {
      observer.committed(
        entries.flatMap(({ message }, index) => {
          const decision = folded.decisions[index];
          return decision ? [{ message, decision }] : [];
        }),
        decidedAt,
      );
    }
    return result;
  } catch (error) {
    if (error instanceof Unavailable) return { kind: "unavailable", reason: error.message } as const;
    throw error;
  }
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
