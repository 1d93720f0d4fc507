/** What a publisher sends to a topic. */
export interface Notification {
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const DEDUPLICATION_MS = 5 * 60_000;

/** An SNS FIFO topic in high-throughput mode: order and deduplication per message group. */
export class TopicModel {
  readonly #nowMs: () => number;
  readonly #onArrival: (notification: Notification) => void;
  readonly #publishedAtMs = new Map<string, number>();

  /** @param onArrival called for everything that subscribers receive */
  constructor(nowMs: () => number, onArrival: (notification: Notification) => void) {
    this.#nowMs = nowMs;
    this.#onArrival = onArrival;
  }

  publish(notification: Notification): void {
    const key = JSON.stringify([notification.groupId, notification.deduplicationId]);
    const before = this.#publishedAtMs.get(key);
    if (before !== undefined && this.#nowMs() - before < DEDUPLICATION_MS) return;
    this.#publishedAtMs.set(key, this.#nowMs());
    this.#onArrival(notification);
  }
}
