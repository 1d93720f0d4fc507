import { decodeMessage, isOfOtherVersion, type Message } from "./message.ts";
import type { DeadLetterReason, QueueRecord } from "./ports.ts";

/** A command with every record that carried it: the queue may deliver one twice. */
export interface Entry {
  readonly message: Message;
  readonly records: readonly QueueRecord[];
}

export interface Batch {
  /** Each user's commands in the order of their first records; never empty. */
  readonly users: readonly (readonly Entry[])[];
  /** Records that can never be decided, whatever the tables hold. */
  readonly undecidable: readonly { readonly record: QueueRecord; readonly reason: DeadLetterReason }[];
  /** Each group's records from the first message of another version on: nothing of the group goes ahead of it. */
  readonly unsupported: readonly (readonly QueueRecord[])[];
}

/** Groups a batch by user, with one entry for all records of the same content. */
export function groupByUser(records: readonly QueueRecord[]): Batch {
  const users = new Map<string, Map<string, Entry>>();
  const undecidable: Batch["undecidable"][number][] = [];
  const unsupported = new Map<string, QueueRecord[]>();
  for (const record of records) {
    const { groupId, body } = record;
    const message = decodeMessage(body);
    const blocked = unsupported.get(groupId) ?? (!message && isOfOtherVersion(body) ? [] : undefined);
    if (blocked) {
      unsupported.set(groupId, [...blocked, record]);
    } else if (message?.command.userId === groupId) {
      const entries = users.get(groupId) ?? new Map<string, Entry>();
      users.set(groupId, entries);
      // Other content under the same id is no duplicate: dead-lettering it must not dead-letter the true message.
      const { contentHash } = message;
      entries.set(contentHash, { message, records: [...(entries.get(contentHash)?.records ?? []), record] });
    } else {
      undecidable.push({ record, reason: message ? "group_mismatch" : "malformed" });
    }
  }
  return {
    users: [...users.values()].map((entries) => [...entries.values()]),
    undecidable,
    unsupported: [...unsupported.values()],
  };
}
