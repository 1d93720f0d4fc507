import { commandOf } from "../domain/transaction.ts";
import { type DecodedMessage, encodeMessage, MalformedCommand } from "./message.ts";
import { type LedgerStore, UnreadableItem } from "./ports.ts";

/** A message that the consumer, or the queue after five deliveries, has moved to the dead-letter queue. */
export interface DeadLetterMessage {
  readonly messageId: string;
  /** The user whose command it is; for a body that can't be decoded, its message group. */
  readonly userId: string;
  readonly body: string;
  /** Absent when the body is not a message of this version of the ledger. */
  readonly message: DecodedMessage | undefined;
  /** Why the consumer dead-lettered it; absent when it failed in every delivery. */
  readonly reason: string | undefined;
  readonly sentAt: Date;
}

export interface DeadLetterQueue<Received extends DeadLetterMessage = DeadLetterMessage> {
  /**
   * Receives the next messages, each group's in order. The group's later ones stay hidden until these are removed or
   * released.
   *
   * @returns none when nothing more can be received
   */
  receive(): Promise<readonly Received[]>;
  /** Makes messages visible again, in their places. */
  release(messages: readonly Received[]): Promise<void>;
  /** Sends a body to the commands queue, in the user's group. Repeated for one message within minutes: does nothing. */
  resend(message: Received, body: string): Promise<void>;
  remove(message: Received): Promise<void>;
}

/** Receives messages until enough are seen, and releases all of them. */
export async function peek<Received>(
  queue: { receive(): Promise<readonly Received[]>; release(messages: readonly Received[]): Promise<void> },
  isEnough: (seen: readonly Received[]) => boolean,
): Promise<readonly Received[]> {
  const seen: Received[] = [];
  try {
    while (!isEnough(seen)) {
      const received = await queue.receive();
      if (received.length === 0) break;
      seen.push(...received);
    }
    return seen;
  } finally {
    await queue.release(seen);
  }
}

/**
 * Resends dead-lettered commands, each user's in order. What is sent is the command as it was accepted: the body is used
 * only where no transaction is stored. Each is resent before it is removed, so that a redrive that is killed loses
 * nothing, and the next one's repetition moves no money. A message that is dead-lettered again meanwhile stays.
 *
 * @param userId only this user's
 * @returns how many messages stay because this run has resent the same before, and the stored transactions that are
 *   unreadable, whose messages stay too
 */
export async function redrive<Received extends DeadLetterMessage>(
  queue: DeadLetterQueue<Received>,
  store: Pick<LedgerStore, "findTransaction">,
  userId: string | undefined,
  onResent: (message: Received) => void,
): Promise<{ readonly returned: number; readonly unreadable: readonly UnreadableItem[] }> {
  const unreadable: UnreadableItem[] = [];
  const received: Received[] = [];
  const removed = new Set<Received>();
  const resent = new Set<string>();
  let returned = 0;
  try {
    for (let next = await queue.receive(); next.length > 0; next = await queue.receive()) {
      received.push(...next);
      for (const message of next) {
        if (userId !== undefined && message.userId !== userId) continue;
        const content = JSON.stringify([message.userId, message.body]);
        if (resent.has(content)) {
          returned++;
          continue;
        }
        const body = await bodyToResend(message, store).catch(orUnreadable);
        if (body instanceof UnreadableItem) {
          unreadable.push(body);
          continue;
        }
        await queue.resend(message, body);
        resent.add(content);
        await queue.remove(message);
        removed.add(message);
        onResent(message);
      }
    }
    return { returned, unreadable };
  } finally {
    await queue.release(received.filter((message) => !removed.has(message)));
  }
}

function orUnreadable(error: unknown): UnreadableItem {
  if (error instanceof UnreadableItem) return error;
  throw error;
}

/** A forged message never goes back under the id of an accepted command. */
async function bodyToResend(
  { message, body }: DeadLetterMessage,
  store: Pick<LedgerStore, "findTransaction">,
): Promise<string> {
  if (!message) return body;
  const commands: DecodedMessage["commands"][number][] = [];
  for (const command of message.commands) {
    const isMalformed = command instanceof MalformedCommand;
    const stored = isMalformed ? undefined : await store.findTransaction(command.userId, command.id);
    commands.push(stored ? commandOf(stored) : command);
  }
  return encodeMessage({ ...message, commands });
}
