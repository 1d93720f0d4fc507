import { randomUUID } from "node:crypto";
import { ports } from "../lib/aws/adapters.ts";
import { inParallel } from "../lib/ledger/inParallel.ts";
import { encodeMessage, type Message } from "../lib/ledger/message.ts";
import type { QueueRecord } from "../lib/ledger/ports.ts";
import { submit } from "../lib/ledger/submit.ts";

/**
 * Accepts deposits of one US dollar as the API does, so that each stands as pending in the table.
 *
 * @param userIds whose each is, in order
 * @returns the records that the queue would deliver
 */
export async function acceptDeposits(userIds: readonly string[]): Promise<QueueRecord[]> {
  const records: QueueRecord[] = [];
  const queue = {
    ...ports.queue,
    async send(message: Message) {
      const { id: recordId, userId: groupId } = message.command;
      records[Number(message.requestId)] = { recordId, groupId, body: encodeMessage(message) };
    },
  };
  await inParallel(userIds.entries(), async ([index, userId]) => {
    const submitted = await submit(
      {
        userId,
        idempotencyKey: randomUUID(),
        type: "deposit",
        currency: "USD",
        amount: "1.00",
        reference: undefined,
        metadata: undefined,
        requestId: String(index),
      },
      { ...ports, queue },
    );
    if (!submitted.accepted) throw new Error(`A deposit was not accepted: ${submitted.problem}`);
  });
  return records;
}
