export interface QueueDefinition {
  readonly url: string;
  readonly visibilityTimeoutMs: number;
  readonly redrive?: { readonly deadLetterUrl: string; readonly maxReceiveCount: number };
}

export interface Sent {
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface QueuedMessage extends Sent {
  readonly messageId: string;
  readonly sentAtMs: number;
  /** The queue that dead-lettered it. */
  readonly sourceUrl: string | undefined;
  receiveCount: number;
  visibleAtMs: number;
  /** Changes with every receive; an old one deletes nothing. */
  receiptHandle: string | undefined;
}

interface Queue {
  readonly definition: QueueDefinition;
  messages: QueuedMessage[];
  readonly sentBefore: Map<string, { readonly atMs: number; readonly messageId: string }>;
}

const DEDUPLICATION_MS = 5 * 60_000;

/**
 * SQS FIFO in high-throughput mode: order and deduplication per message group, a group that is locked while one of its
 * messages is in flight, receive counts, dead-lettering and redrive.
 */
export class SqsModel {
  readonly #queues: Map<string, Queue>;
  readonly #nowMs: () => number;
  /** Called for every message that arrives in a queue, also from another queue. */
  readonly #onArrival: (url: string, message: QueuedMessage) => void;
  #ids = 0;

  constructor(
    definitions: readonly QueueDefinition[],
    nowMs: () => number,
    onArrival: (url: string, message: QueuedMessage) => void = () => {},
  ) {
    this.#queues = new Map(
      definitions.map((definition) => [definition.url, { definition, messages: [], sentBefore: new Map() }]),
    );
    this.#nowMs = nowMs;
    this.#onArrival = onArrival;
  }

  /** @returns the message's id; for a duplicate, which the queue drops, that of the earlier message */
  send(url: string, sent: Sent): string {
    const queue = this.#queue(url);
    const nowMs = this.#nowMs();
    const key = JSON.stringify([sent.groupId, sent.deduplicationId]);
    const before = queue.sentBefore.get(key);
    if (before && nowMs - before.atMs < DEDUPLICATION_MS) return before.messageId;
    const messageId = `message-${++this.#ids}`;
    queue.sentBefore.set(key, { atMs: nowMs, messageId });
    this.#arrive(queue, { ...sent, messageId, sourceUrl: undefined });
    return messageId;
  }

  /**
   * Receives messages of groups that are not in flight, each from its first one on without a gap.
   *
   * @param takes false for a message that this receive skips, with the rest of its group
   */
  receive(
    url: string,
    max: number,
    takes: (message: QueuedMessage) => boolean = () => true,
    visibilityTimeoutMs = this.#queue(url).definition.visibilityTimeoutMs,
  ): QueuedMessage[] {
    const queue = this.#queue(url);
    const { redrive } = queue.definition;
    const nowMs = this.#nowMs();
    const locked = lockedGroups(queue, nowMs);
    const received: QueuedMessage[] = [];
    for (const message of [...queue.messages]) {
      if (received.length === max) break;
      if (locked.has(message.groupId)) continue;
      if (!takes(message)) {
        locked.add(message.groupId);
        continue;
      }
      if (redrive && message.receiveCount >= redrive.maxReceiveCount) {
        queue.messages = queue.messages.filter((other) => other !== message);
        this.#arrive(this.#queue(redrive.deadLetterUrl), { ...message, sourceUrl: url });
        continue;
      }
      message.receiveCount++;
      message.visibleAtMs = nowMs + visibilityTimeoutMs;
      message.receiptHandle = `${message.messageId}#${message.receiveCount}`;
      received.push({ ...message });
    }
    return received;
  }

  /** @returns false if the message is deleted, visible again or received again */
  delete(url: string, receiptHandle: string): boolean {
    const queue = this.#queue(url);
    const nowMs = this.#nowMs();
    const index = queue.messages.findIndex(
      (message) => message.receiptHandle === receiptHandle && message.visibleAtMs > nowMs,
    );
    if (index < 0) return false;
    queue.messages.splice(index, 1);
    return true;
  }

  /** Makes a message visible again if the handle is valid. */
  release(url: string, receiptHandle: string): void {
    const nowMs = this.#nowMs();
    const message = this.#queue(url).messages.find((each) => each.receiptHandle === receiptHandle);
    if (message && message.visibleAtMs > nowMs) message.visibleAtMs = nowMs;
  }

  /** Moves every message that is not in flight to the queue it came from, as a new message. */
  redrive(deadLetterUrl: string, defaultUrl: string): number {
    const queue = this.#queue(deadLetterUrl);
    const nowMs = this.#nowMs();
    const moving = queue.messages.filter((message) => message.visibleAtMs <= nowMs);
    queue.messages = queue.messages.filter((message) => message.visibleAtMs > nowMs);
    for (const { sourceUrl, groupId, deduplicationId, body, attributes } of moving) {
      const messageId = `message-${++this.#ids}`;
      const target = this.#queue(sourceUrl ?? defaultUrl);
      this.#arrive(target, { groupId, deduplicationId, body, attributes, messageId, sourceUrl: undefined });
    }
    return moving.length;
  }

  /** True if a receive would return or dead-letter a message. */
  hasDeliverable(url: string): boolean {
    const queue = this.#queue(url);
    const locked = lockedGroups(queue, this.#nowMs());
    return queue.messages.some((message) => !locked.has(message.groupId));
  }

  messages(url: string): readonly QueuedMessage[] {
    return this.#queue(url).messages;
  }

  #arrive(queue: Queue, message: Sent & Pick<QueuedMessage, "messageId" | "sourceUrl">): void {
    const { messageId, sourceUrl, groupId, deduplicationId, body, attributes } = message;
    const nowMs = this.#nowMs();
    const arrived: QueuedMessage = {
      messageId,
      sourceUrl,
      groupId,
      deduplicationId,
      body,
      attributes,
      sentAtMs: nowMs,
      receiveCount: 0,
      visibleAtMs: nowMs,
      receiptHandle: undefined,
    };
    queue.messages.push(arrived);
    this.#onArrival(queue.definition.url, arrived);
  }

  #queue(url: string): Queue {
    const queue = this.#queues.get(url);
    if (!queue) throw new Error(`There is no queue ${url}`);
    return queue;
  }
}

function lockedGroups(queue: Queue, nowMs: number): Set<string> {
  return new Set(queue.messages.filter(({ visibleAtMs }) => visibleAtMs > nowMs).map(({ groupId }) => groupId));
}
