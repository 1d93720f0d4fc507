import type { Command } from "../domain/command.ts";
import { decodeMessage, isOfOtherVersion, MalformedCommand, type ReceivedCommand, receivedCommand } from "./message.ts";
import type { DeadLetterReason, QueueRecord } from "./ports.ts";

/** A command with every record that carried it: the queue may deliver one twice, and a client may send one twice. */
export interface Entry extends ReceivedCommand {
  readonly records: readonly RequestRecord[];
}

interface RequestRecord extends QueueRecord {
  readonly requestId: string;
}

/** What can never be decided, whatever the tables hold: a whole record, or one command of it. */
export interface Undecidable {
  readonly record: QueueRecord;
  /** Absent for a whole record. */
  readonly command?: Command | MalformedCommand;
  readonly requestId: string;
  readonly reason: DeadLetterReason;
}

export interface Batch {
  /** Each user's commands in the order of their first records; never empty. */
  readonly users: readonly (readonly Entry[])[];
  readonly undecidable: readonly Undecidable[];
  /** Each group's records from the first message of another version on: nothing of the group goes ahead of it. */
  readonly unsupported: readonly (readonly QueueRecord[])[];
}

/** Groups a batch by user, with one entry for all records of the same content. */
export function groupByUser(records: readonly QueueRecord[]): Batch {
  const users = new Map<string, Map<string, Entry>>();
  const undecidable: Undecidable[] = [];
  const unsupported = new Map<string, QueueRecord[]>();
  for (const record of records) {
    const { groupId, body } = record;
    const message = decodeMessage(body);
    const { commands = [], requestId = "" } = message ?? {};
    const isDecoded = message && !commands.some((command) => command instanceof MalformedCommand);
    const blocked = unsupported.get(groupId) ?? (!isDecoded && isOfOtherVersion(body) ? [] : undefined);
    if (blocked) {
      unsupported.set(groupId, [...blocked, record]);
      continue;
    }
    if (!message) undecidable.push({ record, requestId, reason: "malformed" });
    const requestRecord = { ...record, requestId };
    for (const command of commands) {
      if (command instanceof MalformedCommand) {
        undecidable.push({ record, command, requestId, reason: "malformed" });
      } else if (command.userId !== groupId) {
        undecidable.push({ record, command, requestId, reason: "group_mismatch" });
      } else {
        const entries = users.get(groupId) ?? new Map<string, Entry>();
        users.set(groupId, entries);
        // Other content under the same id is no duplicate: dead-lettering it must not dead-letter the true command.
        const received = receivedCommand(command, requestId);
        const { records: others = [] } = entries.get(received.contentHash) ?? {};
        entries.set(received.contentHash, { ...received, records: [...new Set([...others, requestRecord])] });
      }
    }
  }
  return {
    users: [...users.values()].map((entries) => [...entries.values()]),
    undecidable,
    unsupported: [...unsupported.values()],
  };
}
